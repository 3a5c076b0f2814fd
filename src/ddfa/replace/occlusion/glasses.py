"""Whether somebody wears glasses, told from lines around both eyes and across the bridge of the nose.

What frames and lenses cover stays as it is in the picture: a frame is not part of the face, and skin seen through a
lens is not where a mesh would draw it.
"""

from functools import lru_cache
from typing import Final

import numpy as np

from ddfa.arrays import Bools, Float32, Int32
from ddfa.raster.blending import smoothstep
from ddfa.replace.face_region import FaceSurface

_RIM_MM: Final = (11.0, 33.0)  # distance from the middle of the eye in which the lower rim is looked for
_RIM_DEG: Final = range(-150, -15, 15)  # sectors below each eye, seen from its middle
_BRIDGE_MM: Final = (-4.0, 24.0)  # heights between which frames cross the nose
_COVER_MM: Final = (35.0, 30.0)  # glasses cover the face to here
_TEMPLE_MM: Final = 11.0  # half of the height of what leads to the ears, with room for a fit that is not exact
_LINE: Final = 0.27  # logarithm by which a frame is darker, or of another colour, than the skin beside it
_HUE: Final = 1.5  # colour says more than brightness: light has no part in it
_LEAST: Final = 6  # vertices of a sector that must be seen


class Glasses:
    """Looks for glasses on a face.

    Args:
        surface: the face of the head model.

    Attributes:
        cover: (K,) float32 in [0, 1], what glasses would cover.
    """

    def __init__(self, surface: FaceSurface) -> None:
        x, y, _ = surface.mm.T
        points = surface.head.landmark_points.mean
        eyes = [points[36:42].mean(axis=0), points[42:48].mean(axis=0)]
        self.cover = np.zeros(len(x), np.float32)
        self._parts: list[list[Int32]] = []
        for eye in eyes:
            away, up = (x - eye[0]) * np.sign(eye[0]), y - eye[1]
            distance, angle = np.hypot(away, 1.15 * up), np.rad2deg(np.arctan2(up, away))
            ring = (distance > _RIM_MM[0]) & (distance < _RIM_MM[1])
            self._parts.append([_where(ring & (angle >= low) & (angle < low + 15)) for low in _RIM_DEG])
            temple = smoothstep(np.abs(up - 3), _TEMPLE_MM + 4, _TEMPLE_MM) * (away > 0)
            self.cover = np.maximum.reduce([self.cover, smoothstep(distance, *_COVER_MM), temple])
        across = (y > _BRIDGE_MM[0]) & (y < _BRIDGE_MM[1])
        self._parts.append([_where(across & (np.abs(x - middle) < 2.5)) for middle in (-5, 0, 5)])

    def worn(self, colours: Float32, seen: Float32) -> bool:
        """Tell whether glasses are seen.

        Args:
            colours: (K, 3) logarithms of the colours at the vertices, sharp.
            seen: (K,) how well each vertex is seen.
        """
        return all(self._has_line(part, colours, seen) for part in self._parts)

    def _has_line(self, part: list[Int32], colours: Float32, seen: Float32) -> bool:
        """Whether most sectors of a part are crossed by a thin line."""
        found = []
        for sector in part:
            places = sector[seen[sector] > 0.25]
            if len(places) < _LEAST:
                continue
            tone = colours[places].mean(axis=1)
            hue = colours[places] - tone[:, None]
            dark = np.median(tone) - np.percentile(tone, 6)
            other = np.percentile(np.abs(hue - np.median(hue, axis=0)).max(axis=1), 94)
            found.append(max(dark, _HUE * other))
        return bool(found) and float(np.median(found)) > _LINE


@lru_cache(maxsize=2)
def glasses_of(surface: FaceSurface) -> Glasses:
    """The one `Glasses` of a surface."""
    return Glasses(surface)


def _where(mask: Bools) -> Int32:
    return np.flatnonzero(mask).astype(np.int32)
