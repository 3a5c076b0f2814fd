"""The skin that no photo shows: plain skin of a tone with cheeks, lips, brows and lashes, and hair on the scalp."""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32
from ddfa.raster.blending import blend, smoothstep
from ddfa.texture.atlas import Atlas

_CROWN: Final = (0.0, 110.0, -25.0)  # mm; hair grows away from it
_STRAND: Final = 14  # steps of the line integral to either side, 1.5 px of an atlas of 1024 px each
_HAIRLINE: Final = (0.40, 0.62)  # of `Atlas.hair`, between which hair gets dense
_RAGGED: Final = 0.09  # by which strands shift it


def plain_skin(tone: Float32, brows: Float32, atlas: Atlas) -> Float32:
    """Draw the skin of a head without hair on the scalp.

    Args:
        tone: (3,) colour of plain skin, in [0, 255].
        brows: (3,) colour of the brows, in [0, 255].
        atlas: of the head.

    Returns:
        (S, S, 3) float32 in [0, 255].
    """
    strands = hair_strands(atlas)
    skin = np.broadcast_to(tone, (*atlas.inside.shape, 3)) * (1 + 0.012 * _grain(atlas))[..., None]
    skin = blend(skin, skin * np.array([1.04, 0.86, 0.84], np.float32), 0.5 * atlas.flush)
    lips = tone * np.array([0.90, 0.66, 0.66], np.float32)
    skin = blend(skin, np.broadcast_to(lips, skin.shape), 0.75 * atlas.lips)
    skin = blend(skin, np.broadcast_to(0.4 * lips, skin.shape), 0.6 * atlas.lips * smoothstep(atlas.mouth_mm, 1.6, 0.4))
    hairs = 0.55 * smoothstep(atlas.brow_mm + 0.6 * strands, 3.6, 1.2)
    skin = blend(skin, np.broadcast_to(brows, skin.shape), hairs)
    skin = blend(skin, 0.75 * skin, 0.5 * smoothstep(atlas.lid_mm, 9, 2))
    return blend(skin, 0.3 * skin, 0.7 * smoothstep(atlas.lid_mm, 1.0, 0.2))


def scalp_hair(colour: Float32, atlas: Atlas) -> Float32:
    """Draw hair of a colour (3,) in [0, 255] all over the atlas: (S, S, 3) float32."""
    return np.asarray(colour * np.exp(0.13 * hair_strands(atlas))[..., None], np.float32)


def hair_density(atlas: Atlas) -> Float32:
    """(S, S) float32 in [0, 1], how much of the scalp hair hides; strands make the hairline ragged."""
    return smoothstep(atlas.hair + _RAGGED * hair_strands(atlas) * (1 - atlas.hair), *_HAIRLINE)


@lru_cache(maxsize=2)
def hair_strands(atlas: Atlas) -> Float32:
    """(S, S) float32 of standard deviation 1, noise that is drawn out along the direction in which hair grows.

    Line integral convolution of white noise (Cabral and Leedom, "Imaging vector fields using line integral
    convolution", SIGGRAPH 1993).
    """
    size = atlas.size
    away = np.linalg.norm(atlas.closed(atlas.position) - np.array(_CROWN, np.float32), axis=2)
    smooth = cv2.GaussianBlur(np.asarray(away, np.float32), (0, 0), size / 100)
    along = np.dstack([cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)])
    along = np.asarray(along / np.maximum(np.linalg.norm(along, axis=2, keepdims=True), 1e-6), np.float32)
    noise = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(size, size)).astype(np.float32), (0, 0), 0.7)
    rows, columns = np.indices((size, size), dtype=np.float32)
    total = noise.copy()
    for sign in (-1.5, 1.5):
        x, y = columns.copy(), rows.copy()
        for _ in range(max(round(_STRAND * size / 1024), 2)):
            step = cv2.remap(along, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            x, y = x + sign * step[..., 0], y + sign * step[..., 1]
            total = total + cv2.remap(noise, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    total = np.asarray(total + 0.5 * cv2.GaussianBlur(total, (0, 0), size / 120), np.float32)
    return np.asarray(np.clip(total / max(float(total[atlas.inside].std()), 1e-6), -2.5, 2.5), np.float32)


@lru_cache(maxsize=2)
def _grain(atlas: Atlas) -> Float32:
    """(S, S) float32 of standard deviation 1, the pores of skin."""
    noise = np.random.default_rng(1).normal(size=(atlas.size, atlas.size)).astype(np.float32)
    band = cv2.GaussianBlur(noise, (0, 0), 1.0) - cv2.GaussianBlur(noise, (0, 0), 4.0)
    return np.asarray(band / max(float(band.std()), 1e-6), np.float32)
