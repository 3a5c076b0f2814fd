"""Procedural eyes, teeth, tongue and inside of the mouth.

Mouth, tongue and sockets are painted on the atlas. Eyes and teeth are small parts whose detail matters, and a chart of
the atlas has only a few texels for them: their colours are computed for each pixel of the rendered image instead.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Float32, Float64, Floats, Int32
from ddfa.data.synthetic.noise import smooth_noise
from ddfa.head.model import HeadModel
from ddfa.raster.blending import blend, smoothstep
from ddfa.raster.rasterize import Raster
from ddfa.texture.atlas import Atlas
from ddfa.texture.interior import inner_of, sphere_centre

_IRISES: Final = np.array(
    [
        (0.20, 0.11, 0.06), (0.30, 0.18, 0.10), (0.40, 0.27, 0.14), (0.44, 0.38, 0.22), (0.35, 0.42, 0.29),
        (0.38, 0.48, 0.55), (0.47, 0.58, 0.68), (0.48, 0.52, 0.54),
    ],
    np.float32,
)  # fmt: skip
_IRIS_ODDS: Final = np.array([0.3, 0.22, 0.12, 0.08, 0.07, 0.08, 0.07, 0.06])
# Half the angle at which the iris is seen from the centre of the eye. An iris measures 11.7 mm where pupils are 63 mm
# apart; those of the mean head are 56 mm apart, and its eyeball has a radius of 14.7 mm.
_IRIS_RAD: Final = 0.361
_FIBRES: Final = np.array([5, 9, 17, 26])
_LID_SHADOW_MM: Final = 3.2  # below the edge of the upper lid, where its shadow ends
_CORNEA: Final = 0.55  # the cornea is more curved than the eyeball: how much more its normals turn away
_UPPER_LIDS: Final = {"left": (42, 43, 44, 45), "right": (36, 37, 38, 39)}
_TOOTH_DEG: Final = 11.5  # width of a tooth on the dental arch, seen from its centre
_CROWN_MM: Final = (9.5, 8.0)  # height of the upper and the lower crowns


class InnerLook(NamedTuple):
    """Appearance of the eyes and teeth of a person.

    Attributes:
        white: (3,) float32 reflectance of the sclera, RGB in [0, 1].
        iris: (3,) float32 reflectance of the iris.
        pupil: radius of the pupil relative to the iris.
        size: radius of the iris relative to the mean.
        fibres: (4, 2) amplitude and phase of the pattern of the iris.
        veins: strength of the redness of the sclera.
        shadow: darkness of the shadow of the upper lid.
        shine: strength of the catch light.
        ivory: (3,) float32 reflectance of the teeth.
        gum: (3,) float32 reflectance of the gums.
        gaps: darkness between the teeth.
    """

    white: Float32
    iris: Float32
    pupil: float
    size: float
    fibres: Float64
    veins: float
    shadow: float
    shine: float
    ivory: Float32
    gum: Float32
    gaps: float


def random_look(rng: np.random.Generator) -> InnerLook:
    """Draw the appearance of eyes and teeth."""
    white = np.array([0.95, 0.93, 0.91], np.float32) * rng.uniform(0.82, 1.0)
    white[1:] *= rng.uniform(0.95, 1.0)
    ivory = np.array([0.95, 0.92, 0.86], np.float32) * rng.uniform(0.8, 1.02)
    ivory[2] *= rng.uniform(0.85, 1.0)
    return InnerLook(
        white=white,
        iris=(_IRISES[rng.choice(len(_IRISES), p=_IRIS_ODDS)] * np.exp(rng.normal(0, 0.15))).astype(np.float32),
        pupil=rng.uniform(0.24, 0.5),
        size=rng.normal(1.0, 0.035),
        fibres=np.column_stack([rng.uniform(0.03, 0.12, 4), rng.uniform(0, 6.3, 4)]),
        veins=rng.uniform(0.2, 0.8),
        shadow=rng.uniform(0.15, 0.4),
        shine=rng.uniform(0.5, 1.3),
        ivory=ivory,
        gum=np.array([rng.uniform(0.5, 0.7), rng.uniform(0.22, 0.32), rng.uniform(0.22, 0.32)], np.float32),
        gaps=rng.uniform(0.25, 0.6),
    )


class Inner:
    """Paints mouth, tongue and sockets on the atlas, with random colours for every face.

    Args:
        atlas: of the head.
    """

    def __init__(self, atlas: Atlas) -> None:
        self._atlas = atlas
        parts = inner_of(atlas)
        self._mouth, self._tongue, self._teeth, self._socket, self._eyes = (
            np.flatnonzero(mask)
            for mask in (parts.mouth, parts.tongue, parts.teeth, parts.socket, parts.eyes[0].mask | parts.eyes[1].mask)
        )

    def paint(self, texture: Float32, skin: Float32, rng: np.random.Generator) -> Float32:
        """Paint the parts behind lids and lips over a texture.

        Args:
            texture: (S, S, 3) contiguous, RGB in [0, 1]; changed.
            skin: (3,) colour of the skin.
            rng: source of randomness.

        Returns:
            `texture`.
        """
        flat = texture.reshape(-1, 3)
        flesh = np.array([rng.uniform(0.35, 0.55), rng.uniform(0.12, 0.2), rng.uniform(0.12, 0.2)], np.float32)
        # A tongue is lighter and pinker than the lining of the mouth.
        pink = flesh * np.array([1.2, 1.6, 1.6], np.float32) * rng.uniform(0.95, 1.3)
        grain = 1 + 0.05 * smooth_noise(rng, self._atlas.size, (60, 60)).reshape(-1, 1)
        flat[self._mouth] = flesh * 0.8
        flat[self._tongue] = pink * grain[self._tongue]
        flat[self._teeth] = (0.93, 0.9, 0.84)
        flat[self._socket] = skin * np.array([0.85, 0.55, 0.52], np.float32)
        flat[self._eyes] = (0.9, 0.88, 0.86)
        return texture


class InnerPixels:
    """Colours the pixels of a rendering that show eyes or teeth.

    Args:
        head: the open head.
    """

    def __init__(self, head: HeadModel) -> None:
        self._head = head
        regions, corners = head.regions, head.triangles
        self._eyes = {side: _EyeFrame(head, side) for side in _UPPER_LIDS}
        self._part = np.zeros(len(corners) + 2, np.uint8)
        for number, name in enumerate(("eye_left", "eye_right", "teeth")):
            self._part[:-2][regions[name][corners].all(axis=1)] = number + 1
        self._teeth = _teeth_coordinates(head)

    def draw(
        self, raster: Raster, shape: Float32, normals: Float32, main: Floats, look: InnerLook
    ) -> tuple[Int32, Float32]:
        """Compute the colours of the pixels that show eyes or teeth.

        Args:
            raster: the visible surface; triangles beyond those of the head are accessories.
            shape: (V, 3) the head in head space.
            normals: (V, 3) unit, camera axes.
            main: (3,) direction of the main light, camera axes.
            look: appearance.

        Returns:
            Row of the second array for each pixel (H, W), -1 for none; reflectance and specular radiance (D, 4).
            A specular radiance of -1 stands for that of the vertices.
        """
        triangle = raster.triangle.ravel()
        at = np.full(raster.triangle.shape, -1, np.int32)
        # The last entry is that of the background, index -1; accessories are clipped to the one before.
        part = self._part[np.minimum(triangle, len(self._part) - 2)]
        chosen = np.flatnonzero(part)
        at.ravel()[chosen] = np.arange(len(chosen))
        own = part[chosen]
        detail = np.full((len(chosen), 4), -1, np.float32)
        half = np.asarray(main) + np.array([0.0, 0.0, 1.0])
        half /= np.linalg.norm(half)
        lids = np.einsum("lk,lkj->lj", self._head.landmark_weights, shape[self._head.landmark_vertices])
        for number, (side, eye) in enumerate(self._eyes.items()):
            rows = np.flatnonzero(own == number + 1)
            if len(rows):
                local, place, normal = self._read(raster, chosen[rows], eye.local, shape, normals)
                reflectance, spot = _eye_colours(local, normal, normals[eye.pupil], half, look)
                under = lids[list(_UPPER_LIDS[side])]
                under = under[np.argsort(under[:, 0])]
                depth = np.interp(place[:, 0], under[:, 0], under[:, 1]) - place[:, 1]
                lit = 1 - look.shadow * (1 - smoothstep(depth, 0.0, _LID_SHADOW_MM))
                detail[rows, :3], detail[rows, 3] = reflectance * lit[:, None], spot * lit
        rows = np.flatnonzero(own == 3)
        if len(rows):
            (tooth,) = self._read(raster, chosen[rows], self._teeth)
            detail[rows, :3] = _tooth_colours(tooth, look)
        return at, detail

    def _read(self, raster: Raster, pixels: NDArray[np.intp], *attributes: Floats) -> list[Float32]:
        """Interpolate attributes (V, C) of the head at some pixels."""
        corners = self._head.triangles[raster.triangle.ravel()[pixels]]
        weights = raster.barycentric.reshape(-1, 3)[pixels]
        return [np.einsum("pk,pkc->pc", weights, values[corners]).astype(np.float32) for values in attributes]


class _EyeFrame:
    """An eyeball of the resting head: directions from its centre, and the vertex of the pupil."""

    def __init__(self, head: HeadModel, side: str) -> None:
        ball = head.regions[f"eye_{side}"]
        points = head.mean[ball].astype(np.float64)
        self.pupil = int(np.flatnonzero(ball)[points[:, 2].argmax()])
        centre = sphere_centre(points)
        self.local = np.zeros((head.vertices, 3), np.float32)
        self.local[ball] = (points - centre) / np.linalg.norm(points - centre, axis=1, keepdims=True)


def _teeth_coordinates(head: HeadModel) -> Float32:
    """Per vertex: direction on the dental arch in teeth, height above the edge of the crowns in crowns."""
    jaw = head.expression_basis[head.expression_names.index("jawOpen")]
    lower = np.linalg.norm(jaw, axis=1) > 1.0
    x, y, z = head.mean.T
    result = np.zeros((head.vertices, 2), np.float32)
    result[:, 0] = np.rad2deg(np.arctan2(x, np.maximum(z - 45, 1))) / _TOOTH_DEG
    for which, crown, sign in ((~lower, _CROWN_MM[0], 1), (lower, _CROWN_MM[1], -1)):
        teeth = which & head.regions["teeth"]
        away = sign * y[teeth]
        # The edges of the crowns follow a curve: the height of the lowest vertices of each direction.
        bins = np.round(np.abs(result[teeth, 0])).astype(int)
        lowest = np.array([away[bins == k].min() if (bins == k).any() else away.min() for k in range(bins.max() + 1)])
        result[teeth, 1] = (away - np.interp(np.abs(result[teeth, 0]), np.arange(len(lowest)), lowest)) / crown
    return result


def _eye_colours(
    local: Float32, normal: Float32, axis: Float32, half: Float64, look: InnerLook
) -> tuple[Float32, Float32]:
    """Reflectance (K, 3) and catch light (K,) of points of an eye.

    Args:
        local: (K, 3) directions from the centre of the eye, in its own frame; z is the line of sight.
        normal: (K, 3) camera axes.
        axis: (3,) line of sight, camera axes.
        half: (3,) unit, between the main light and the viewer.
        look: appearance.
    """
    away = np.hypot(local[:, 0], local[:, 1])
    radius = np.arctan2(away, local[:, 2]) / (_IRIS_RAD * look.size)
    around = np.arctan2(local[:, 1], local[:, 0])
    fibres = (look.fibres[:, 0] * np.sin(_FIBRES * around[:, None] + look.fibres[:, 1])).sum(axis=1)
    iris = look.iris * (1.2 - 0.3 * radius[:, None] + fibres[:, None])
    iris = blend(iris, 0.35 * look.iris, smoothstep(radius, 0.78, 1.0))  # the limbal ring
    iris = blend(iris, np.full(3, 0.012), smoothstep(radius, look.pupil + 0.05, look.pupil - 0.05))
    red = look.veins * smoothstep(radius, 1.6, 3.4)
    sclera = blend(np.broadcast_to(look.white, iris.shape), look.white * np.array([0.96, 0.74, 0.72]), red)
    colours = blend(iris, sclera, smoothstep(radius, 0.93, 1.07))
    bulge = _CORNEA * smoothstep(radius, 1.15, 0.85)[:, None]
    curved = normal + bulge * (normal - axis)
    curved /= np.maximum(np.linalg.norm(curved, axis=1, keepdims=True), 1e-6)
    mirror = np.maximum(curved @ half, 0)
    spot = look.shine * (np.minimum(1.5 * mirror**260, 1.0) + 0.05 * mirror**20)
    return np.asarray(colours, np.float32), np.asarray(spot, np.float32)


def _tooth_colours(tooth: Float32, look: InnerLook) -> Float32:
    """Reflectance (K, 3) at coordinates (K, 2) of the teeth: darker between teeth, gums above the crowns."""
    across, height = np.abs((tooth[:, 0] % 1) - 0.5), tooth[:, 1]  # across: 0 in the middle of a gap between bins
    gap = smoothstep(across, 0.40, 0.5)
    crown = look.ivory * (1 - look.gaps * gap * (0.6 + 0.4 * height.clip(0, 1)))[:, None]
    crown = crown * (0.9 + 0.1 * smoothstep(height, 0.0, 0.25))[:, None]  # the edge is translucent
    edge = 0.95 - 0.22 * (2 * across) ** 2  # gums reach down between teeth
    return np.asarray(blend(crown, look.gum, smoothstep(height, edge - 0.06, edge + 0.06)), np.float32)
