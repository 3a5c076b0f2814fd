"""Detects whether a person wears glasses, from lines below both eyes and across the bridge of the nose.

The area that frames and lenses cover keeps the target's pixels: a frame is not part of the face, and skin seen through
a lens is refracted, so it does not appear where the mesh projects.
"""

from functools import lru_cache
from typing import Final

import numpy as np

from ddfa.arrays import Bools, Float32, Int32
from ddfa.occlusion.face_region import FaceSurface
from ddfa.raster.blending import smoothstep

_RIM_MM: Final = (11.0, 33.0)  # distances from the eye centre between which the lower rim is searched
_RIM_DEG: Final = range(-150, -15, 15)  # sectors below each eye, around its centre
_BRIDGE_MM: Final = (-4.0, 24.0)  # heights between which frames cross the nose
_COVER_MM: Final = (35.0, 30.0)  # radius around the eye that glasses cover, faded out
_TEMPLE_MM: Final = 11.0  # half the height of the temples, with tolerance for an inexact fit
_LINE: Final = 0.27  # log contrast of a frame against the skin beside it
_HUE: Final = 1.5  # colour counts more than brightness: shading does not change it
_MIN_VERTICES: Final = 6  # visible vertices that a sector needs


class Glasses:
    """Glasses detector for one surface.

    The lower rims and the bridge of a frame are thin lines that differ from the skin beside them. Each part (two rims,
    one bridge) is divided into sectors; a part is found if the median sector contains a line, and glasses if all three
    parts are found.

    Args:
        surface: the face of the head model.

    Attributes:
        cover: (K,) float32 in [0, 1], the vertices that glasses would cover.
    """

    def __init__(self, surface: FaceSurface) -> None:
        x, y, _ = surface.mm.T
        points = surface.head.landmark_points.mean
        eyes = [points[36:42].mean(axis=0), points[42:48].mean(axis=0)]
        self.cover = np.zeros(len(x), np.float32)
        self._parts: list[list[Int32]] = []
        for eye in eyes:
            # `outwards` points to the ear on either side, so that both eyes share the same sectors.
            outwards, up = (x - eye[0]) * np.sign(eye[0]), y - eye[1]
            distance, angle = np.hypot(outwards, 1.15 * up), np.rad2deg(np.arctan2(up, outwards))
            ring = (distance > _RIM_MM[0]) & (distance < _RIM_MM[1])
            self._parts.append([_indices(ring & (angle >= low) & (angle < low + 15)) for low in _RIM_DEG])
            temple = smoothstep(np.abs(up - 3), _TEMPLE_MM + 4, _TEMPLE_MM) * (outwards > 0)
            self.cover = np.maximum.reduce([self.cover, smoothstep(distance, *_COVER_MM), temple])
        across = (y > _BRIDGE_MM[0]) & (y < _BRIDGE_MM[1])
        self._parts.append([_indices(across & (np.abs(x - middle) < 2.5)) for middle in (-5, 0, 5)])

    def worn(self, colours: Float32, visibility: Float32) -> bool:
        """Whether the person wears glasses.

        Args:
            colours: (K, 3) float32, logarithms of the colours at the vertices, not blurred.
            visibility: (K,) float32 in [0, 1], how well each vertex is seen.

        Returns:
            True if both rims and the bridge are found.
        """
        return all(_has_line(part, colours, visibility) for part in self._parts)


@lru_cache(maxsize=2)
def glasses_of(surface: FaceSurface) -> Glasses:
    """The detector of a surface, created once."""
    return Glasses(surface)


def _has_line(part: list[Int32], colours: Float32, visibility: Float32) -> bool:
    """Whether a thin line crosses most of the visible sectors of a part."""
    strengths = []
    for sector in part:
        visible = sector[visibility[sector] > 0.25]
        if len(visible) < _MIN_VERTICES:
            continue
        tone = colours[visible].mean(axis=1)
        hue = colours[visible] - tone[:, None]
        # Extreme percentiles against the median: a line covers only a few vertices of a sector.
        darker = np.median(tone) - np.percentile(tone, 6)
        coloured = np.percentile(np.abs(hue - np.median(hue, axis=0)).max(axis=1), 94)
        strengths.append(max(darker, _HUE * coloured))
    return bool(strengths) and float(np.median(strengths)) > _LINE


def _indices(mask: Bools) -> Int32:
    return np.flatnonzero(mask).astype(np.int32)
