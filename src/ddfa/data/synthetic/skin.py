"""Procedural skin on the atlas: skin tone, patches, cheeks, lips, brows, stubble and spots."""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, Floats
from ddfa.data.synthetic.noise import smooth_noise
from ddfa.data.synthetic.shading_kernels import paint_over
from ddfa.raster.blending import smoothstep
from ddfa.texture.atlas import Atlas

# Skin tones from light to dark, RGB in [0, 1].
_TONES: Final = np.array(
    [
        (0.96, 0.84, 0.77), (0.93, 0.78, 0.68), (0.90, 0.72, 0.59), (0.83, 0.64, 0.50), (0.75, 0.55, 0.41),
        (0.65, 0.46, 0.33), (0.54, 0.36, 0.26), (0.43, 0.28, 0.20), (0.33, 0.21, 0.16), (0.25, 0.16, 0.13),
    ],
    np.float32,
)  # fmt: skip
_HAIR_COLOURS: Final = np.array(
    [
        (0.06, 0.05, 0.05), (0.10, 0.08, 0.07), (0.20, 0.13, 0.09), (0.33, 0.22, 0.14), (0.47, 0.34, 0.20),
        (0.72, 0.58, 0.38), (0.48, 0.22, 0.12), (0.52, 0.51, 0.50), (0.82, 0.81, 0.79),
    ],
    np.float32,
)  # fmt: skip
_HAIR_ODDS: Final = np.array([0.26, 0.2, 0.16, 0.11, 0.07, 0.07, 0.04, 0.05, 0.04])


def random_hair_colour(rng: np.random.Generator) -> Float32:
    """Draw a natural hair colour, RGB (3,) in [0, 1]."""
    colour = _HAIR_COLOURS[rng.choice(len(_HAIR_COLOURS), p=_HAIR_ODDS)]
    return np.asarray(np.clip(colour * np.exp(rng.normal(0, 0.12)) + rng.normal(0, 0.01, 3), 0.02, 0.95), np.float32)


def random_tone(rng: np.random.Generator) -> Float32:
    """Draw a skin tone, RGB (3,) in [0, 1]."""
    position = rng.uniform(0, len(_TONES) - 1)
    tone = [np.interp(position, np.arange(len(_TONES)), _TONES[:, channel]) for channel in range(3)]
    return np.asarray(np.clip(np.array(tone) * np.exp(rng.normal(0, 0.03, 3)), 0, 1), np.float32)


def paint_skin(atlas: Atlas, hair_colour: Float32, rng: np.random.Generator) -> Float32:
    """Paint the skin of a head.

    Args:
        atlas: of the head.
        hair_colour: (3,) RGB in [0, 1], of brows and beard.
        rng: source of randomness.

    Returns:
        (S, S, 3) float32 reflectance, RGB in [0, 1].
    """
    size, tone = atlas.size, random_tone(rng)
    texture = plain_skin(atlas, tone, rng)
    cover(texture, 0.72 * tone, rng.uniform(0.0, 0.3) * smoothstep(atlas.lid_mm, 9, 2))
    if rng.random() < 0.5:
        _spots(texture, rng)
    _lips(atlas, texture, tone, rng)
    if rng.random() < 0.3:
        stubble = smooth_noise(rng, size, (170, 170))[..., 0]
        dense = rng.uniform(0.15, 0.9) * np.clip(0.8 + 0.35 * stubble, 0, 1)
        cover(texture, hair_colour, atlas.beard * dense)
    _brows(atlas, texture, hair_colour, rng)
    return paint_lashes(atlas, texture, rng)


def cover(texture: Float32, colour: Floats, opacity: Floats) -> None:
    """Blend a colour (3,) or (S, S, 3) onto a texture (S, S, 3) float32 in place, with opacity (S, S) in [0, 1]."""
    over = np.asarray(colour, np.float32)
    paint_over(texture, over if over.ndim == 3 else over.reshape(1, 1, 3), np.asarray(opacity, np.float32))


def plain_skin(atlas: Atlas, tone: Float32, rng: np.random.Generator) -> Float32:
    """Paint bare skin of a tone (3,), uneven, with redder cheeks, nose and ears: (S, S, 3) float32 RGB."""
    size = atlas.size
    broad = smooth_noise(rng, size, (7, 7))
    fine = smooth_noise(rng, size, (90, 90))
    grain = smooth_noise(rng, size, (220, 220))
    even = np.exp(0.03 * broad + rng.uniform(0.003, 0.015) * fine + rng.uniform(0.003, 0.02) * grain)
    hue = 1 + 0.0105 * smooth_noise(rng, size, (7, 7), 3)
    hue *= even
    texture = np.ascontiguousarray(np.asarray(tone, np.float32) * hue)
    cover(texture, tone * np.array([1.06, 0.80, 0.76], np.float32), rng.uniform(0.1, 0.7) * atlas.flush)
    return texture


def paint_lashes(atlas: Atlas, texture: Float32, rng: np.random.Generator) -> Float32:
    """Darken the edges of the lids of a texture (S, S, 3) like lashes, which are sparse on the lower lids."""
    reach = rng.uniform(0.7, 1.5)
    dense = rng.uniform(0.3, 0.85) * smoothstep(atlas.lid_mm, reach, 0.3 * reach)
    middle = atlas.head.landmark_points.mean[36:48, 1].mean()
    dense *= np.where(atlas.position[..., 1] < middle - 1, np.float32(1 - rng.uniform(0.5, 0.9)), np.float32(1))
    texture = np.ascontiguousarray(texture, np.float32)
    texture *= (1 - 0.78 * dense)[..., None]
    return texture


def _lips(atlas: Atlas, texture: Float32, tone: Float32, rng: np.random.Generator) -> None:
    colour = tone * np.array([0.92, 0.62, 0.62], np.float32)
    if rng.random() < 0.25:  # lipstick
        colour = np.array([rng.uniform(0.45, 0.8), rng.uniform(0.08, 0.3), rng.uniform(0.12, 0.35)], np.float32)
    cover(texture, colour, rng.uniform(0.4, 0.95) * atlas.lips)
    cover(texture, 0.35 * colour, 0.6 * atlas.lips * smoothstep(atlas.mouth_mm, 1.6, 0.4))


def _brows(atlas: Atlas, texture: Float32, colour: Float32, rng: np.random.Generator) -> None:
    hairs = smooth_noise(rng, atlas.size, (110, 190))[..., 0]
    width = rng.uniform(2.2, 4.6)
    dense = rng.uniform(0.45, 0.95) * smoothstep(atlas.brow_mm + 0.5 * hairs, width, 0.35 * width)
    cover(texture, colour * 0.9, dense)


def _spots(texture: Float32, rng: np.random.Generator) -> None:
    """Add freckles and moles."""
    size = texture.shape[0]
    dense = np.zeros((size, size), np.float32)
    for _ in range(int(rng.integers(5, 90))):
        centre = tuple(int(v) for v in rng.uniform(0.2 * size, 0.8 * size, 2))
        cv2.circle(dense, centre, 1, float(rng.uniform(0.15, 0.6)), -1)
    dense = np.asarray(cv2.GaussianBlur(dense, (0, 0), size / 500), np.float32)
    cover(texture, texture * np.array([0.6, 0.45, 0.4], np.float32), dense)
