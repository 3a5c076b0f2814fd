"""Hair, hats and scarves: thickness on the scalp, colour on the atlas, and a sheet of long hair around the head."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ddfa.arrays import Float32, Floats
from ddfa.data.synthetic.backdrops import random_colour
from ddfa.data.synthetic.noise import smooth_noise
from ddfa.data.synthetic.objects.strips import Part, sheet
from ddfa.data.synthetic.skin import cover
from ddfa.raster.blending import smoothstep
from ddfa.raster.rasterize import vertex_normals
from ddfa.texture.atlas import Atlas

_HATS: Final = 0.14


@dataclass(frozen=True)
class Style:
    """Hair and headwear of a head.

    Attributes:
        hair: (3,) colour of the hair, RGB in [0, 1].
        cloth: (3,) colour of a hat or scarf, which covers everything above a height; None for none.
        thickness_mm: on the scalp.
        fringe_mm: how far it reaches down the forehead from the hairline.
        hairline: shift of the hairline, in units of `Atlas.hair`; positive recedes.
        brim_mm: of a cap; 0 for none.
        curtain_mm: length of long hair below the ears; 0 for short hair.
        opening_deg: half the angle around the face that long hair leaves free.
    """

    hair: Float32
    cloth: Float32 | None
    thickness_mm: float
    fringe_mm: float
    hairline: float
    brim_mm: float
    curtain_mm: float
    opening_deg: float


def random_style(hair_colour: Float32, rng: np.random.Generator) -> Style:
    """Draw random hair and headwear.

    Args:
        hair_colour: (3,) RGB in [0, 1].
        rng: source of randomness.
    """
    thickness, fringe = rng.uniform(2, 22), max(0.0, rng.normal(4, 12))
    hairline, curtain, opening = rng.uniform(-0.24, 0.1), 0.0, rng.uniform(62, 105)
    if rng.random() < 0.33:
        curtain = rng.uniform(10, 190)
    elif rng.random() < 0.08:
        thickness, fringe, hairline = 0.0, 0.0, 2.0  # bald
    if rng.random() > _HATS:
        return Style(hair_colour, None, thickness, fringe, hairline, 0.0, curtain, opening)
    cloth, thickness, fringe = random_colour(rng), rng.uniform(3, 12), rng.uniform(-5, 22)
    if rng.random() < 0.25:  # a scarf or hood
        return Style(cloth, cloth, thickness, fringe, 2.0, 0.0, rng.uniform(90, 200), rng.uniform(42, 60))
    brim = rng.uniform(30, 70) if rng.random() < 0.45 else 0.0
    return Style(hair_colour, cloth, thickness, fringe, hairline, brim, curtain, opening)


class Scalp:
    """Applies styles to one head model.

    Args:
        atlas: of the head.
    """

    def __init__(self, atlas: Atlas) -> None:
        self._atlas = atlas
        self._skin = atlas.head.regions["skin"]
        self._normals = vertex_normals(atlas.head.mean, atlas.head.triangles)
        points = atlas.head.landmark_points.mean
        self._brow_y = float(points[17:27, 1].max())
        face = atlas.head.mean[atlas.head.regions["face"]]
        self._hairline_y = float(face[np.abs(face[:, 0]) < 15, 1].max())

    def paint(self, texture: Float32, style: Style, rng: np.random.Generator) -> Float32:
        """Paint hair or cloth on a texture (S, S, 3), which is not changed."""
        texture = np.array(texture, np.float32, order="C")
        atlas, size = self._atlas, self._atlas.size
        strands = smooth_noise(rng, size, (14, 170)) + 0.6 * smooth_noise(rng, size, (40, 230))
        edge = 0.05 * smooth_noise(rng, size, (60, 160))[..., 0]
        grown = self._grown(atlas.hair, atlas.position, style) + edge
        hair = np.clip(style.hair * np.exp(np.float32(rng.uniform(0.08, 0.28)) * strands), 0, 1)
        cover(texture, hair, smoothstep(grown, 0.42, 0.58) * atlas.skin)
        if style.cloth is None:
            return texture
        weave = 1 + 0.06 * smooth_noise(rng, size, (120, 120)) + 0.08 * smooth_noise(rng, size, (9, 9))
        worn = smoothstep(self._height(atlas.position, style), -1.5, 1.5) * atlas.skin
        cover(texture, np.clip(style.cloth * weave, 0, 1), worn)
        return texture

    def raise_surface(self, shape: Float32, style: Style, rng: np.random.Generator) -> Float32:
        """Displace the scalp of a head (V, 3) in head space by the thickness of the style."""
        mean = self._atlas.head.mean
        if style.cloth is not None:
            share = smoothstep(self._height(mean, style), -1, 6)
        else:
            share = smoothstep(self._grown(self._atlas.vertex_hair, mean, style), 0.45, 0.95)
            grown = share > 0
            waves = np.sin(mean[grown] @ rng.normal(0, 0.05, (3, 4)) + rng.uniform(0, 6.3, 4)).sum(axis=1)
            share[grown] *= 1 + 0.14 * waves
        lift = style.thickness_mm * share * self._skin
        return np.asarray(shape + lift[:, None] * self._normals, np.float32)

    def extras(self, shape: Float32, style: Style, rng: np.random.Generator) -> list[Part]:
        """Make long hair and the brim of a hat, for a head (V, 3) in head space."""
        parts = []
        if style.curtain_mm > 0:
            parts.append(self._curtain(shape, style, rng))
        if style.brim_mm > 0 and style.cloth is not None:
            parts.append(self._brim(shape, style, style.cloth))
        return parts

    def _grown(self, hair: Floats, points: Floats, style: Style) -> Float32:
        """Density of hair at points (..., 3) of the mean head: 1/2 at the hairline."""
        y = points[..., 1]
        fringe = smoothstep(y, self._hairline_y - style.fringe_mm - 3, self._hairline_y - style.fringe_mm + 3)
        front = fringe * (points[..., 2] > 20) * (y > self._brow_y - 6) * (style.fringe_mm > 0)
        return np.asarray(np.maximum(hair - style.hairline, front), np.float32)

    def _height(self, points: Floats, style: Style) -> Float32:
        """Height in mm of points (..., 3) above the edge of a hat, which is lower at the nape."""
        edge = self._hairline_y - style.fringe_mm + 0.25 * (points[..., 2] - 80)
        return np.asarray(points[..., 1] - np.maximum(edge, self._brow_y + 4 - 30 * (points[..., 2] < 40)), np.float32)

    def _curtain(self, shape: Float32, style: Style, rng: np.random.Generator) -> Part:
        scalp = shape[self._atlas.head.regions["hair"]]
        wide = np.abs(shape[self._skin, 0]).max() + rng.uniform(1, 7)  # wide enough to cover the ears
        back = -scalp[:, 2].min() + 0.6 * style.thickness_mm + rng.uniform(-6, 6)
        top, rows, columns = scalp[:, 1].max(), 16, 120
        level = np.linspace(0, 1, rows)[:, None]
        opening = style.opening_deg + 12 * np.sin(2.5 * level + rng.uniform(0, 6)) * rng.uniform(0, 1)
        angle = np.deg2rad(opening + (360 - 2 * opening) * np.linspace(0, 1, columns))
        locks = smooth_noise(rng, columns, (2, 40))[:rows, :, 0]
        height = top * 0.72 - level * (top * 0.72 + 20 + style.curtain_mm) + 0.04 * style.curtain_mm * locks
        # The crown curves inwards; below the ears hair hangs straight, or narrows towards the neck.
        crown = np.sqrt(np.clip(1 - np.clip(height / (1.02 * top), 0, 1) ** 2, 0.05, 1))
        fall = 1 + rng.uniform(-0.25, 0.18) * np.clip(-height / 120, 0, 1) + 0.015 * locks
        # The front edges are close to the skin.
        edge = np.minimum(np.arange(columns), np.arange(columns)[::-1]) / 14
        fall = fall * (1 - 0.2 * np.clip(1 - edge, 0, 1) ** 2)
        x, z = wide * crown * fall * np.sin(angle), back * crown * fall * np.cos(angle)
        points = np.stack([x, height + 0 * x, z * np.where(z > 0, 0.75, 1.0)], axis=-1)
        strands = np.exp(0.16 * smooth_noise(rng, columns, (3, 100))[:rows])
        colours = style.hair * (strands if style.hair is not style.cloth else 1 + 0.15 * (strands - 1))
        return sheet(points[:, ::-1], np.clip(colours, 0, 1))

    def _brim(self, shape: Float32, style: Style, colour: Float32) -> Part:
        skull = shape[self._atlas.head.regions["skin"]]
        edge = max(self._hairline_y - style.fringe_mm, self._brow_y + 5)
        near = skull[(np.abs(skull[:, 1] - edge) < 6) & (skull[:, 2] > 0)]
        wide, deep = np.abs(near[:, 0]).max() + style.thickness_mm, near[:, 2].max() + style.thickness_mm
        angle = np.deg2rad(np.linspace(-78, 78, 25))
        out = np.linspace(-0.05, 1, 6)[:, None]
        reach = out * style.brim_mm * np.cos(angle) ** 0.7
        x, z = wide * np.sin(angle) + 0 * out, deep * np.cos(angle) + reach
        y = edge + 2 - 0.18 * reach - 9 * np.sin(angle) ** 2 * out
        return sheet(np.stack([x, y, z], axis=-1), 0.85 * colour)
