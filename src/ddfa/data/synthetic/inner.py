"""Eyes, teeth, tongue and the inside of the mouth, painted on the atlas."""

from typing import Final

import numpy as np

from ddfa.arrays import Float32, Float64
from ddfa.data.synthetic.noise import smooth_noise
from ddfa.render.atlas import Atlas
from ddfa.render.blending import blend, smoothstep

_IRISES: Final = np.array(
    [
        (0.16, 0.09, 0.05), (0.25, 0.15, 0.08), (0.36, 0.24, 0.12), (0.42, 0.36, 0.20), (0.33, 0.40, 0.27),
        (0.36, 0.46, 0.53), (0.45, 0.56, 0.66), (0.46, 0.50, 0.52),
    ],
    np.float32,
)  # fmt: skip
_IRIS_ODDS: Final = np.array([0.3, 0.22, 0.12, 0.08, 0.07, 0.08, 0.07, 0.06])
_TOOTH_DEG: Final = 11.5  # of the dental arch that a tooth takes, as seen from its middle


class Inner:
    """What lies behind lids and lips; painted anew for every face.

    Args:
        atlas: of the head.
    """

    def __init__(self, atlas: Atlas) -> None:
        self._atlas = atlas
        self._eyes = [_Eye(atlas, side) for side in ("left", "right")]
        self._mouth = atlas.region("mouth_inner") > 0.5
        self._tongue = atlas.region("tongue") > 0.5
        self._teeth = atlas.region("teeth") > 0.5
        self._socket = (atlas.region("eye_socket") > 0.01) & ~atlas.skin
        x, _, z = np.moveaxis(atlas.position, -1, 0)
        self._arch_deg = np.rad2deg(np.arctan2(x, np.maximum(z - 45, 1)))

    def paint(self, texture: Float32, skin: Float32, rng: np.random.Generator) -> Float32:
        """Paint eyes and mouth over a texture.

        Args:
            texture: (S, S, 3) RGB in [0, 1]; changed.
            skin: (3,) colour of the skin.
            rng: source of randomness.

        Returns:
            `texture`.
        """
        grain = 1 + 0.05 * smooth_noise(rng, self._atlas.size, (60, 60))
        flesh = np.array([rng.uniform(0.35, 0.55), rng.uniform(0.12, 0.2), rng.uniform(0.12, 0.2)], np.float32)
        texture[self._mouth] = flesh * 0.8
        texture[self._tongue] = (flesh * rng.uniform(1.0, 1.4) * grain)[self._tongue]
        ivory = np.array([0.93, 0.90, 0.84], np.float32) * rng.uniform(0.75, 1.02)
        ivory[2] *= rng.uniform(0.85, 1.0)
        gaps = smoothstep(np.abs((self._arch_deg / _TOOTH_DEG) % 1 - 0.5), 0.42, 0.5)[..., None]
        texture[self._teeth] = (ivory * (1 - 0.45 * gaps))[self._teeth]
        texture[self._socket] = skin * np.array([0.85, 0.55, 0.52], np.float32)
        self._paint_eyes(texture, rng)
        return texture

    def _paint_eyes(self, texture: Float32, rng: np.random.Generator) -> None:
        colour = _IRISES[rng.choice(len(_IRISES), p=_IRIS_ODDS)] * np.exp(rng.normal(0, 0.15))
        white = np.array([0.92, 0.90, 0.88], np.float32) * rng.uniform(0.65, 0.92)
        white[1:] *= rng.uniform(0.92, 1.0)
        pupil = rng.uniform(0.25, 0.55)
        size = rng.uniform(0.92, 1.06)
        for eye in self._eyes:
            texture[eye.mask] = eye.colours(white, colour.astype(np.float32), pupil, size, rng)


class _Eye:
    """One eyeball on the atlas: how far each place lies from the line of sight, and in which direction.

    Args:
        atlas: of the head.
        side: "left" or "right".
    """

    def __init__(self, atlas: Atlas, side: str) -> None:
        head = atlas.head
        ball = head.mean[head.regions[f"eye_{side}"]].astype(np.float64)
        iris = head.mean[head.regions[f"iris_{side}"]].astype(np.float64)
        centre = _sphere_centre(ball)
        axis = iris.mean(axis=0) - centre
        axis /= np.linalg.norm(axis)
        self.mask = atlas.region(f"eye_{side}") > 0.5
        away = atlas.position[self.mask] - centre
        away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
        rim = iris - centre
        rim /= np.linalg.norm(rim, axis=1, keepdims=True)
        self._radius = np.arccos(np.clip(away @ axis, -1, 1)) / np.arccos(np.clip(rim @ axis, -1, 1)).max()
        self._around = np.arctan2(away[:, 1], away[:, 0])

    def colours(self, white: Float32, colour: Float32, pupil: float, size: float, rng: np.random.Generator) -> Float32:
        """Colours (K, 3) at `mask`; radii are shares of the iris."""
        radius = self._radius / size
        fibres = sum(rng.uniform(0.03, 0.12) * np.sin(k * self._around + rng.uniform(0, 6.3)) for k in (5, 9, 17, 26))
        iris = colour * (1.15 - 0.25 * radius[:, None] + np.asarray(fibres)[:, None])
        iris = blend(iris, 0.35 * colour, smoothstep(radius, 0.78, 1.0))  # the dark ring around it
        iris = blend(iris, np.full(3, 0.015), smoothstep(radius, pupil + 0.07, pupil - 0.07))
        veins = smoothstep(radius, 1.4, 3.0)
        sclera = blend(np.broadcast_to(white, iris.shape), white * np.array([0.95, 0.72, 0.70]), 0.7 * veins)
        return blend(iris, sclera, smoothstep(radius, 0.93, 1.07))


def _sphere_centre(points: Float64) -> Float64:
    """Centre (3,) of the sphere through points (K, 3), least squares."""
    system = np.column_stack([2 * points, np.ones(len(points))])
    return np.asarray(np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0][:3])
