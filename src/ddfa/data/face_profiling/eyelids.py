"""Eyelid synthesis: the fitted head closes or widens its eyes, and is rendered with the photo as its texture."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Bools, Float32, Float64, Floats, Int32, UInt8
from ddfa.data.face_profiling.rotation import facing, textured_triangles
from ddfa.geometry.camera import project
from ddfa.head.model import HeadModel
from ddfa.raster.rasterize import Raster, interpolate, rasterize
from ddfa.raster.sampling import sample

# Supersampling: lids and lashes are thinner than pixels of the photo.
_FINE = 3
# Eyes with a smaller aperture (mm) are left unchanged: the photo does not show what is behind the lids.
_SHUT_MM = 3.0
# The skin of a closed lid comes from further up, by this share of the lid's travel.
_SLIDE = 0.35
# Share of widened eyes, and share of winks among closed eyes.
_WIDE_SHARE = 0.12
_WINK_SHARE = 0.25
# Vertices within this distance (mm) of an eye are rendered, since they move or occlude it.
_NEAR_MM = 32.0
_LASHES_MM = 1.0
_LASH_COLOUR = np.array([38.0, 28.0, 26.0], np.float32)


class _Eye(NamedTuple):
    """One eye of the head model.

    Attributes:
        side: suffix of its expressions.
        upper: landmarks on the upper lid.
        lower: landmarks on the lower lid.
        near: (K,) vertices of the head around the eye; the arrays below refer to these.
        triangles: (T, 3) int32.
        corners: (4, 3) corners of the triangles that contain the upper and lower landmarks.
        weights: (4, 3) barycentric weights of these.
        ball: (K,) bool.
        lid: (K,) float32, travel of each vertex of the upper lid in a blink, relative to the largest; elsewhere 0.
        edge: vertices along the edge of the upper lid, by x.
        zone: (K,) bool, vertices whose bounding box in the image is rendered.
    """

    side: str
    upper: list[int]
    lower: list[int]
    near: NDArray[np.intp]
    triangles: Int32
    corners: Int32
    weights: Float32
    ball: Bools
    lid: Float32
    edge: NDArray[np.intp]
    zone: Bools

    def edges(self, shape: Float32) -> tuple[float, float]:
        """Height of the edges of the upper and lower lid, for vertices (K, 3) in head space."""
        heights = (shape[self.corners, 1] * self.weights).sum(axis=1)
        return float(heights[:2].mean()), float(heights[2:].mean())


class EyelidSynthesizer:
    """Edits photos so that eyes are closed, half closed, winking or wide open.

    Args:
        head: the open head, whose ARKit expressions and regions are used.
    """

    def __init__(self, head: HeadModel) -> None:
        self._head = head
        self._eyes = (_eye(head, "Right", [37, 38], [41, 40]), _eye(head, "Left", [43, 44], [47, 46]))

    def choose(self, identity: Floats, expression: Floats, rng: np.random.Generator) -> Float32:
        """Draw a random eyelid expression for a face.

        Args:
            identity: (I,).
            expression: (E,), of the photo.
            rng: source of randomness.

        Returns:
            (E,) float32, the expression with other lids; an eye that is closed in the photo stays closed.
        """
        result = np.array(expression, np.float32)
        if rng.random() < _WIDE_SHARE:
            amount = rng.uniform(0.2, 0.7)
            for number in self._open_eyes(identity, result):
                side = self._eyes[number].side
                result[self._index(f"eyeWide{side}")] = amount
                result[self._index(f"eyeBlink{side}")] *= 1 - amount
            return result
        # Both eyes nearly alike, and fully closed in more than a quarter of all cases.
        shut = np.clip(rng.uniform(0.15, 1.35) + rng.normal(size=2) * 0.06, 0, 1)
        if rng.random() < _WINK_SHARE:
            shut[rng.integers(2)] *= rng.uniform(0, 0.2)
        # Closing eyes look down and squint slightly, as in labels of real photos.
        self.close(identity, result, shut, rng.uniform(0, 0.4), rng.uniform(0.2, 0.5))
        return result

    def close(
        self, identity: Floats, expression: Float32, shut: Floats, squint: float = 0.0, down: float = 0.0
    ) -> None:
        """Close the eyes of an expression (E,) in place.

        Args:
            identity: (I,).
            expression: (E,).
            shut: (2,) for the right and the left eye, 0 as in the photo to 1 closed.
            squint: `eyeSquint` added to a closed eye.
            down: minimum `eyeLookDown` of a closed eye. `eyeBlink` closes the rest of the gap.
        """
        gaps = self.openings(identity, expression)
        for number in self._open_eyes(identity, expression):
            side = self._eyes[number].side
            at = {name: self._index(f"eye{name}{side}") for name in ("Wide", "Squint", "LookDown")}
            expression[at["Wide"]] *= 1 - shut[number]
            expression[at["Squint"]] = np.clip(expression[at["Squint"]] + squint * shut[number], 0, 1)
            expression[at["LookDown"]] = max(expression[at["LookDown"]], down * shut[number])
            self._blink(number, identity, expression, (1 - shut[number]) * gaps[number])

    def openings(self, identity: Floats, expression: Floats) -> Float64:
        """Distance (2,) in mm between the lids of the right and the left eye of a face."""
        points = self._head.decode_landmarks(identity[None], expression[None])[0]
        return np.array([points[eye.upper, 1].mean() - points[eye.lower, 1].mean() for eye in self._eyes])

    def draw(self, photo: UInt8, pose: Floats, before: Float32, after: Float32, mix: float = 0.3) -> UInt8:
        """Render a photo with the lids of another expression.

        Args:
            photo: (H, W, 3) uint8.
            pose: (3, 4), head space to image space.
            before: (V, 3) float32, the photo's face in head space.
            after: (V, 3) float32, the same face with other lids.
            mix: share of the new skin that comes from below the eye, where there is no brow; the rest is from above.

        Returns:
            (H, W, 3) uint8; only the surroundings of eyes that change differ.
        """
        result = photo.copy()
        for eye in self._eyes:
            old, new = before[eye.near], after[eye.near]
            if np.abs(new - old).max() > 0.1:
                _draw_eye(result, photo, eye, np.asarray(pose, np.float32), old, new, mix)
        return result

    def _index(self, name: str) -> int:
        return self._head.expression_names.index(name)

    def _open_eyes(self, identity: Floats, expression: Floats) -> list[int]:
        return [number for number, gap in enumerate(self.openings(identity, expression)) if gap >= _SHUT_MM]

    def _blink(self, number: int, identity: Floats, expression: Float32, goal: float) -> None:
        """Set the blink of `expression` so that the lids are `goal` mm apart, within its range."""
        at = self._index(f"eyeBlink{self._eyes[number].side}")
        gaps = []
        for value in (0.0, 1.0):
            expression[at] = value
            gaps.append(self.openings(identity, expression)[number])
        expression[at] = np.clip((gaps[0] - goal) / (gaps[0] - gaps[1]), 0, 1)


def _draw_eye(
    result: UInt8, photo: UInt8, eye: _Eye, pose: Float32, before: Float32, after: Float32, mix: float
) -> None:
    """Render one eye into `result`; `before` and `after` are the (K, 3) vertices around it in head space."""
    target = project(after, pose)
    x0, y0 = np.maximum(np.floor(target[eye.zone, :2].min(axis=0)) - 1, 0).astype(int)
    x1, y1 = np.ceil(target[eye.zone, :2].max(axis=0)).astype(int) + 2
    x1, y1 = min(x1, photo.shape[1]), min(y1, photo.shape[0])
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    fine = target * np.float32(_FINE)
    fine[:, :2] += (_FINE - 1) / 2 - _FINE * np.array([x0, y0], np.float32)
    triangles = facing(fine, eye.triangles)
    raster = rasterize(fine, triangles, _FINE * (y1 - y0), _FINE * (x1 - x0))
    moved = np.clip(np.linalg.norm(after - before, axis=1) / 0.4, 0, 1)
    moved[eye.ball] = 1.0
    above, below = _skin(eye, before, after)
    sources = [(points @ pose[:2, :3].T + pose[:2, 3]).astype(np.float32) for points in (above, below)]
    seen = interpolate(raster, triangles, np.column_stack([*sources, mix * eye.lid, moved]), background=0.0)
    colour = sample(photo, seen[..., :2])
    colour += seen[..., 4:5] * (sample(photo, seen[..., 2:4]) - colour)
    closing = np.clip((before - after)[eye.edge, 1].max() / 6.0, 0, 1)
    if closing > 0:
        lashes = 0.75 * closing * _lash_line(fine[eye.edge], raster, abs(_FINE * pose[1, 1]) * _LASHES_MM)
        colour += lashes[..., None] * (_LASH_COLOUR - colour)
    alpha = seen[..., 5:6]
    size = (x1 - x0, y1 - y0)
    new = np.asarray(cv2.resize(alpha * colour, size, interpolation=cv2.INTER_AREA))
    share = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA))[..., None]
    patch = result[y0:y1, x0:x1]
    patch[:] = np.clip((1 - share) * patch + new + 0.5, 0, 255)


def _skin(eye: _Eye, before: Float32, after: Float32) -> tuple[Float32, Float32]:
    """Texture sources of each vertex in head space, (K, 3) each: above the eye, and below it."""
    above, below = before.copy(), before.copy()
    on_lid = eye.lid > 0
    above[on_lid, 1] += _SLIDE * np.clip(before - after, 0, None)[on_lid, 1]
    (old_upper, old_lower), (upper, lower) = eye.edges(before), eye.edges(after)
    below[on_lid] = after[on_lid]
    below[on_lid, 1] = 2 * lower - after[on_lid, 1] - 2 * _LASHES_MM
    # A widened eye reveals what its lid occluded: the visible part of the eye is stretched.
    if upper - lower > old_upper - old_lower > 0:
        above[eye.ball, 1] = old_lower + (after[eye.ball, 1] - lower) * (old_upper - old_lower) / (upper - lower)
    return above, below


def _eye(head: HeadModel, side: str, upper: list[int], lower: list[int]) -> _Eye:
    ball = head.regions[f"eye_{side.lower()}"]
    near = np.asarray(np.linalg.norm(head.mean - head.mean[ball].mean(axis=0), axis=1) < _NEAR_MM)
    number = np.cumsum(near) - 1
    blink = head.expression_basis[head.expression_names.index(f"eyeBlink{side}")]
    down = np.clip(-blink[:, 1], 0, None)
    lid = np.asarray(np.where(head.regions["skin"], down / down.max(), 0), np.float32)
    triangles = textured_triangles(head)
    return _Eye(
        side=side,
        upper=upper,
        lower=lower,
        near=np.flatnonzero(near),
        triangles=np.asarray(number[triangles[near[triangles].all(axis=1)]], np.int32),
        corners=np.asarray(number[head.landmark_vertices[upper + lower]], np.int32),
        weights=head.landmark_weights[upper + lower],
        ball=ball[near],
        lid=lid[near],
        edge=number[_lowest(head.mean + blink, np.flatnonzero(lid > 0.15))],
        zone=((lid > 0.02) | head.regions[f"eyelid_{side.lower()}"])[near],
    )


def _lowest(vertices: Float32, among: NDArray[np.intp], strips: int = 14) -> NDArray[np.intp]:
    """The lowest of some vertices in each of several strips, by x: the edge of a closed lid from corner to corner."""
    x, y = vertices[among, :2].T
    strip = np.minimum(((x - x.min()) / np.ptp(x) * strips).astype(int), strips - 1)
    return np.array([among[strip == k][y[strip == k].argmin()] for k in np.unique(strip)])


def _lash_line(points: Float32, raster: Raster, thickness: float) -> Float32:
    """Coverage (h, w) float32 in 0..1 of a line through points (n, 3), where it is visible."""
    height, width = raster.depth.shape
    line = np.zeros((height, width), np.uint8)
    pixel = np.rint(points[:, :2]).astype(int)
    inside = np.asarray(((pixel >= 0) & (pixel < [width, height])).all(axis=1))
    x, y = pixel[inside].T
    seen = inside.copy()
    seen[inside] = raster.depth[y, x] < points[inside, 2] + 2 * _FINE
    ends = np.rint(points[:, :2] * 16).astype(int)
    for k in np.flatnonzero(seen[:-1] & seen[1:]):
        first, last = ((int(ends[k + i, 0]), int(ends[k + i, 1])) for i in (0, 1))
        cv2.line(line, first, last, 255, max(1, round(thickness)), cv2.LINE_AA, 4)
    return np.asarray(line / np.float32(255), np.float32)
