"""Eyes, teeth, tongue and mouth: their masks on the atlas, and their appearance where no photo shows them."""

from functools import lru_cache
from typing import Final

import numpy as np

from ddfa.arrays import Bools, Float32, Float64
from ddfa.raster.blending import blend, smoothstep
from ddfa.texture.atlas import Atlas

_TOOTH_DEG: Final = 11.5  # width of a tooth on the dental arch, seen from its centre
_LEAST_VISIBLE: Final = 30  # texels of an atlas of 512 px from which a colour is estimated
_WHITE: Final = np.array([205, 198, 192], np.float32)
_IRIS: Final = np.array([88, 62, 44], np.float32)
_IVORY: Final = np.array([205, 196, 180], np.float32)
_FLESH: Final = np.array([108, 44, 42], np.float32)


class Eye:
    """One eyeball on the atlas, in polar coordinates about the line of sight.

    Attributes:
        mask: (S, S) bool, texels of the eyeball.
        radius: (K,) float, distance of the texels of `mask` from the centre of the pupil in radii of the iris.
        around: (K,) float, direction from there, radians.

    Args:
        atlas: of the head.
        side: "left" or "right".
    """

    def __init__(self, atlas: Atlas, side: str) -> None:
        head = atlas.head
        ball = head.mean[head.regions[f"eye_{side}"]].astype(np.float64)
        iris = head.mean[head.regions[f"iris_{side}"]].astype(np.float64)
        centre = sphere_centre(ball)
        axis = iris.mean(axis=0) - centre
        axis /= np.linalg.norm(axis)
        self.mask: Bools = atlas.region(f"eye_{side}") > 0.5
        away = atlas.position[self.mask] - centre
        away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
        rim = iris - centre
        rim /= np.linalg.norm(rim, axis=1, keepdims=True)
        self.radius = np.arccos(np.clip(away @ axis, -1, 1)) / np.arccos(np.clip(rim @ axis, -1, 1)).max()
        self.around = np.arctan2(away[:, 1], away[:, 0])


class Inner:
    """The parts behind lids and lips.

    Attributes:
        eyes: the left and the right one.
        mouth: (S, S) bool, the lining of the mouth.
        tongue: (S, S) bool.
        teeth: (S, S) bool.
        socket: (S, S) bool, the lining of the eyes.
        gaps: (S, S) float32, 1 between teeth.

    Args:
        atlas: of the head.
    """

    def __init__(self, atlas: Atlas) -> None:
        self.eyes = [Eye(atlas, side) for side in ("left", "right")]
        self.mouth: Bools = atlas.region("mouth_inner") > 0.5
        self.tongue: Bools = atlas.region("tongue") > 0.5
        self.teeth: Bools = atlas.region("teeth") > 0.5
        self.socket: Bools = (atlas.region("eye_socket") > 0.01) & ~atlas.skin
        x, _, z = np.moveaxis(atlas.position, -1, 0)
        arch_deg = np.rad2deg(np.arctan2(x, np.maximum(z - 45, 1)))
        self.gaps = smoothstep(np.abs((arch_deg / _TOOTH_DEG) % 1 - 0.5), 0.42, 0.5)
        self._least = _LEAST_VISIBLE * (atlas.size / 512) ** 2

    def paint(self, texture: Float32, colours: Float32, visible: Float32) -> Float32:
        """Paint eyes and mouth: from the photo where it shows them, else procedurally in its colours.

        Args:
            texture: (S, S, 3) RGB in [0, 255]; changed.
            colours: (S, S, 3) of the photo.
            visible: (S, S) float32 in [0, 1].

        Returns:
            `texture`.
        """
        texture[self.mouth] = 0.8 * _FLESH
        texture[self.tongue] = 1.2 * _FLESH
        ivory = self._part_colour(colours, visible, self.teeth, _IVORY)
        texture[self.teeth] = (ivory * (1 - 0.4 * self.gaps[..., None]))[self.teeth]
        texture[self.socket] = 0.8 * _FLESH + 20
        for eye in self.eyes:
            self._paint_eye(eye, texture, colours, visible)
        return texture

    def _paint_eye(self, eye: Eye, texture: Float32, colours: Float32, visible: Float32) -> None:
        own, trust = colours[eye.mask], visible[eye.mask]
        white = _estimated(own, trust * (eye.radius > 1.25), _WHITE, self._least, upper=True)
        iris = _estimated(own, trust * ((eye.radius > 0.5) & (eye.radius < 0.85)), _IRIS, self._least)
        iris = np.minimum(iris, 0.8 * white)
        painted = iris * (1.15 - 0.25 * eye.radius[:, None])
        painted = blend(painted, 0.35 * iris, smoothstep(eye.radius, 0.78, 1.0))  # the limbal ring
        painted = blend(painted, np.full(3, 6.0), smoothstep(eye.radius, 0.47, 0.33))
        painted = blend(painted, np.broadcast_to(white, painted.shape), smoothstep(eye.radius, 0.93, 1.07))
        texture[eye.mask] = blend(painted, own, trust)

    def _part_colour(self, colours: Float32, visible: Float32, where: Bools, default: Float32) -> Float32:
        return _estimated(colours[where], visible[where], default, self._least, upper=True)


@lru_cache(maxsize=4)
def inner_of(atlas: Atlas) -> Inner:
    """Return the inner parts of an atlas, cached."""
    return Inner(atlas)


def _estimated(colours: Float32, visible: Float32, default: Float32, least: float, *, upper: bool = False) -> Float32:
    """Median colour (3,) of a part in the photo; `upper`: of its brighter half, which is less shaded."""
    own = colours[visible > 0.5]
    if len(own) < least:
        return default
    brightness = own.mean(axis=1)
    chosen = own[brightness >= np.median(brightness)] if upper else own
    return np.asarray(np.median(chosen, axis=0), np.float32)


def sphere_centre(points: Float64) -> Float64:
    """Centre (3,) of the sphere through points (K, 3), least squares."""
    system = np.column_stack([2 * points, np.ones(len(points))])
    return np.asarray(np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0][:3])
