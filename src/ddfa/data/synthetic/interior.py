"""Procedural eyes, teeth, tongue and inside of the mouth, painted on the atlas."""

from typing import Final

import numpy as np

from ddfa.arrays import Float32
from ddfa.data.synthetic.noise import smooth_noise
from ddfa.raster.blending import blend, smoothstep
from ddfa.texture.atlas import Atlas
from ddfa.texture.interior import Eye, inner_of

_IRISES: Final = np.array(
    [
        (0.16, 0.09, 0.05), (0.25, 0.15, 0.08), (0.36, 0.24, 0.12), (0.42, 0.36, 0.20), (0.33, 0.40, 0.27),
        (0.36, 0.46, 0.53), (0.45, 0.56, 0.66), (0.46, 0.50, 0.52),
    ],
    np.float32,
)  # fmt: skip
_IRIS_ODDS: Final = np.array([0.3, 0.22, 0.12, 0.08, 0.07, 0.08, 0.07, 0.06])


class Inner:
    """Paints the parts behind lids and lips, with random colours for every face.

    Args:
        atlas: of the head.
    """

    def __init__(self, atlas: Atlas) -> None:
        self._atlas = atlas
        self._parts = inner_of(atlas)

    def paint(self, texture: Float32, skin: Float32, rng: np.random.Generator) -> Float32:
        """Paint eyes and mouth over a texture.

        Args:
            texture: (S, S, 3) RGB in [0, 1]; changed.
            skin: (3,) colour of the skin.
            rng: source of randomness.

        Returns:
            `texture`.
        """
        parts = self._parts
        grain = 1 + 0.05 * smooth_noise(rng, self._atlas.size, (60, 60))
        flesh = np.array([rng.uniform(0.35, 0.55), rng.uniform(0.12, 0.2), rng.uniform(0.12, 0.2)], np.float32)
        texture[parts.mouth] = flesh * 0.8
        texture[parts.tongue] = (flesh * rng.uniform(1.0, 1.4) * grain)[parts.tongue]
        ivory = np.array([0.93, 0.90, 0.84], np.float32) * rng.uniform(0.75, 1.02)
        ivory[2] *= rng.uniform(0.85, 1.0)
        texture[parts.teeth] = (ivory * (1 - 0.45 * parts.gaps[..., None]))[parts.teeth]
        texture[parts.socket] = skin * np.array([0.85, 0.55, 0.52], np.float32)
        self._paint_eyes(texture, rng)
        return texture

    def _paint_eyes(self, texture: Float32, rng: np.random.Generator) -> None:
        colour = _IRISES[rng.choice(len(_IRISES), p=_IRIS_ODDS)] * np.exp(rng.normal(0, 0.15))
        white = np.array([0.92, 0.90, 0.88], np.float32) * rng.uniform(0.65, 0.92)
        white[1:] *= rng.uniform(0.92, 1.0)
        pupil = rng.uniform(0.25, 0.55)
        size = rng.uniform(0.92, 1.06)
        for eye in self._parts.eyes:
            texture[eye.mask] = _eye_colours(eye, white, colour.astype(np.float32), pupil, size, rng)


def _eye_colours(
    eye: Eye, white: Float32, colour: Float32, pupil: float, size: float, rng: np.random.Generator
) -> Float32:
    """Colours (K, 3) of the texels of an eye; radii are relative to the iris."""
    radius = eye.radius / size
    fibres = sum(rng.uniform(0.03, 0.12) * np.sin(k * eye.around + rng.uniform(0, 6.3)) for k in (5, 9, 17, 26))
    iris = colour * (1.15 - 0.25 * radius[:, None] + np.asarray(fibres)[:, None])
    iris = blend(iris, 0.35 * colour, smoothstep(radius, 0.78, 1.0))  # the limbal ring
    iris = blend(iris, np.full(3, 0.015), smoothstep(radius, pupil + 0.07, pupil - 0.07))
    veins = smoothstep(radius, 1.4, 3.0)
    sclera = blend(np.broadcast_to(white, iris.shape), white * np.array([0.95, 0.72, 0.70]), 0.7 * veins)
    return blend(iris, sclera, smoothstep(radius, 0.93, 1.07))
