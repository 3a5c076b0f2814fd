"""Mouth synthesis: the photo is warped with its fitted head, and the inside of an opened mouth is painted."""

import cv2
import numpy as np

from ddfa.arrays import Float32, Floats, Int32, UInt8
from ddfa.data.face_profiling.rotation import background_anchors, facing, textured_triangles
from ddfa.geometry.camera import project
from ddfa.head.model import HeadModel
from ddfa.raster.rasterize import interpolate, rasterize, shade, vertex_normals
from ddfa.raster.sampling import sample

# Supersampling.
_FINE = 2
# Lips less than this apart (mm) are closed.
_CLOSED_MM = 2.5
# Distance from the face, in face sizes, over which neck and background follow its motion.
_FOLLOW = 0.25
# Colours of the inside under neutral light; it is fully lit to `_LIT_MM` behind the lips and darkens over `_DARK_MM`.
_INSIDE = {"mouth_inner": (140, 56, 52), "tongue": (190, 100, 98), "teeth": (230, 212, 188)}
_LIT_MM, _DARK_MM = 12.0, 50.0
# Landmarks in the middle of the inner upper and lower lip.
_INNER_LIPS = [61, 62, 63], [67, 66, 65]


class MouthSynthesizer:
    """Edits photos so that mouths are open, closed, pursed or pulled to one side.

    Args:
        head: the open head, whose ARKit expressions and regions are used.
    """

    def __init__(self, head: HeadModel) -> None:
        self._head = head
        self._triangles = textured_triangles(head)
        self._inside = np.any([head.regions[name] for name in _INSIDE], axis=0)
        bright = shade(vertex_normals(head.mean, head.triangles), ambient=0.6)[:, None]
        self._colour = np.zeros((head.vertices, 3), np.float32)
        for name, colour in _INSIDE.items():
            self._colour[head.regions[name]] = bright[head.regions[name]] * np.array(colour, np.float32)

    def choose(self, identity: Floats, expression: Floats, rng: np.random.Generator) -> Float32:
        """Draw a random mouth expression for a face.

        Args:
            identity: (I,).
            expression: (E,), of the photo.
            rng: source of randomness.

        Returns:
            (E,) float32: a closed mouth opens, is pursed or pulled to one side; an open one closes in part.
        """
        result = np.array(expression, np.float32)
        kind, amount = rng.random(), rng.uniform(0.2, 0.8)
        if not self.is_closed(identity, result):
            result[self._index("jawOpen")] *= rng.uniform(0.1, 0.8)
        elif kind < 0.6:
            result[self._index("jawOpen")] = amount
            self._raise(result, "mouthFunnel", rng.uniform(-0.6, 0.6))
            self._raise(result, "mouthStretchLeft", rng.uniform(-0.4, 0.4))
            result[self._index("mouthStretchRight")] = result[self._index("mouthStretchLeft")]
        elif kind < 0.8:
            self._raise(result, "mouthPucker", amount)
        else:
            side = "Left" if rng.random() < 0.5 else "Right"
            self._raise(result, f"mouth{side}", 0.6 * amount)
            self._raise(result, f"mouthSmile{side}", rng.uniform(-0.4, 0.7))
        return result

    def opening(self, identity: Floats, expression: Floats) -> float:
        """Distance in mm between the inner lips of a face."""
        points = self._head.decode_landmarks(identity[None], expression[None])[0]
        upper, lower = (points[landmarks, 1].mean() for landmarks in _INNER_LIPS)
        return float(upper - lower)

    def is_closed(self, identity: Floats, expression: Floats) -> bool:
        """Whether the lips of a face touch, so that a photo does not show the inside of the mouth."""
        return self.opening(identity, expression) < _CLOSED_MM

    def draw(self, photo: UInt8, pose: Floats, before: Float32, after: Float32, closed: bool) -> UInt8:
        """Render a photo with the mouth of another expression.

        Args:
            photo: (H, W, 3) uint8.
            pose: (3, 4), head space to image space.
            before: (V, 3) float32, the photo's face in head space.
            after: (V, 3) float32, the same face with another mouth.
            closed: whether the photo shows closed lips; the inside of the mouth is then painted.

        Returns:
            (H, W, 3) uint8; pixels that do not move are unchanged.
        """
        height, width = photo.shape[:2]
        source, target = (np.asarray(project(shape, pose), np.float32) for shape in (before, after))
        seen_before = facing(source, self._triangles)
        anchors, moved, anchor_triangles = _surroundings(source, target, seen_before, (height, width))
        fine = np.concatenate([target, moved]) * np.float32(_FINE)
        fine[:, :2] += (_FINE - 1) / 2
        mesh = np.concatenate([facing(fine, self._triangles), anchor_triangles + len(target)]).astype(np.int32)
        raster = rasterize(fine, mesh, _FINE * height, _FINE * width)
        painted = np.zeros((len(fine), 6), np.float32)
        painted[:, :2] = np.concatenate([source, anchors])[:, :2]
        if closed:
            painted[: len(target), 2:5] = self._painted(photo, source, after)
            painted[: len(target), 5] = self._inside
        seen = interpolate(raster, mesh, painted)
        colour = sample(photo, seen[..., :2])
        colour += seen[..., 5:] * (seen[..., 2:5] - colour)
        changed = np.maximum(_travel(seen[..., :2]), seen[..., 5])
        weight = np.where(raster.mask, changed, 0).astype(np.float32)[..., None]
        new = np.asarray(cv2.resize(weight * colour, (width, height), interpolation=cv2.INTER_AREA))
        share = np.asarray(cv2.resize(weight, (width, height), interpolation=cv2.INTER_AREA))[..., None]
        return np.asarray(np.clip((1 - share) * photo + new + 0.5, 0, 255), np.uint8)

    def _painted(self, photo: UInt8, source: Float32, after: Float32) -> Float32:
        """Colour (V, 3) of the inside of the mouth in the light of the photo; grey in a greyscale photo."""
        lips = source[self._head.regions["lips"], :2]
        x, y = np.clip(np.rint(lips).astype(int), 0, [photo.shape[1] - 1, photo.shape[0] - 1]).T
        red, _, blue = tint = photo[y, x].mean(axis=0)
        light, colourful = tint.mean() / 150.0, np.clip((red - blue) / 25, 0, 1)
        grey = self._colour.mean(axis=1, keepdims=True)
        colour = np.asarray(grey + colourful * (self._colour - grey), np.float32)
        front = after[self._head.regions["lips"], 2].max()
        depth = np.clip((front - after[:, 2] - _LIT_MM) / _DARK_MM, 0, 1)
        return np.asarray(colour * (light * (1 - 0.75 * depth))[:, None], np.float32)

    def _index(self, name: str) -> int:
        return self._head.expression_names.index(name)

    def _raise(self, expression: Float32, name: str, value: float) -> None:
        expression[self._index(name)] = max(expression[self._index(name)], value)


def _travel(lookup: Float32) -> Float32:
    """Weight (h, w) in 0..1 of each pixel of the fine image: 0 if its source in the photo is the same position."""
    rows, columns = np.indices(lookup.shape[:2], np.float32)
    own = (np.stack([columns, rows], axis=-1) - (_FINE - 1) / 2) / _FINE
    return np.asarray(np.clip(4 * np.abs(lookup - own).max(axis=-1), 0, 1), np.float32)


def _surroundings(
    source: Float32, target: Float32, triangles: Int32, shape: tuple[int, int]
) -> tuple[Float32, Float32, Int32]:
    """Anchors (A, 3) around the face, their positions after its motion, and their triangles."""
    anchors, away, anchor_triangles = background_anchors(source, triangles, shape)
    motion = interpolate(rasterize(source, triangles, *shape), triangles, target - source)
    columns, rows = np.rint(anchors[:, :2] - away).astype(int).T
    reach = _FOLLOW * float(np.ptp(source[:, 1]))
    follow = np.exp(-((np.linalg.norm(away, axis=1) / reach) ** 2))
    return anchors, anchors + follow[:, None].astype(np.float32) * motion[rows, columns], anchor_triangles
