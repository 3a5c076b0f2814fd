"""Colour tests on an unwrapped face: background beside a slightly wrong outline, and hair or scarves over the skin."""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32
from ddfa.raster.blending import smoothstep
from ddfa.texture.atlas import Atlas

# Differences from the skin, in logarithms of RGB; brightness is tested only at the edge of the face, since light and
# shadow change it everywhere.
_HUE, _BRIGHTNESS = 0.4, 0.4
_LEAST_HAIR: Final = 300  # texels


def grazing_trust(colours: Float32, visible: Float32, facing: Float32, atlas: Atlas) -> Float32:
    """Compute how far texels seen at a grazing angle can be trusted to show skin.

    Near the outline, a fit that is slightly off shows what is behind the face. Texels there whose colour is far from
    that of the face are hair or background; light and shadow change the brightness more than the hue. Where a beard
    may grow, every colour is trusted.

    Args:
        colours: (S, S, 3) float32 in [0, 255].
        visible: (S, S) float32 in [0, 1].
        facing: (S, S) float32, cosine to the viewer.
        atlas: of the head.

    Returns:
        (S, S) float32 in [0, 1].
    """
    step = max(atlas.size // 128, 1)
    sure = ((visible > 0.9) & (atlas.face > 0.7))[::step, ::step]
    if sure.sum() < 20:
        return np.ones_like(visible)
    median = np.median(colours[::step, ::step][sure], axis=0)
    # Channel by channel: along a last axis of three NumPy takes ten times as long.
    red, green, blue = (np.log((colours[..., k] + 8) / (median[k] + 8)) for k in range(3))
    brightness = (red + green + blue) / 3
    hue = np.maximum(np.maximum(abs(red - brightness), abs(green - brightness)), abs(blue - brightness))
    outlier = smoothstep(np.maximum(np.abs(brightness) / 1.0, hue / 0.4), 0.7, 1.1)
    reach = max(atlas.size // 100, 1)
    spread = cv2.GaussianBlur(cv2.dilate(outlier, np.ones((reach, reach), np.uint8)), (0, 0), reach / 2)
    bare = (1 - smoothstep(atlas.hair, 0.1, 0.4)) * (1 - atlas.beard) * atlas.skin
    return np.asarray(1 - spread * bare * (1 - smoothstep(facing, 0.6, 0.85)), np.float32)


def skin_mask(reflectance: Float32, visible: Float32, atlas: Atlas) -> Float32:
    """Separate skin from what occludes it, such as hair on the forehead or a scarf.

    Args:
        reflectance: (S, S, 3) float32, RGB in [0, 1], without shading.
        visible: (S, S) float32 in [0, 1].
        atlas: of the head.

    Returns:
        (S, S) float32, 1 on skin and 0 on occluders.
    """
    logs = np.log(np.maximum(reflectance, 0.02))
    plain = np.flatnonzero((visible > 0.5) & (atlas.face > 0.7) & (atlas.lips < 0.1))[::11]
    if not len(plain):
        return np.ones_like(visible)
    away = logs - np.median(logs.reshape(-1, 3)[plain], axis=0)
    shift = away.mean(axis=-1, keepdims=True)
    hue = np.abs(away - shift).max(axis=-1) * (atlas.lips < 0.1)
    edge = (atlas.position[..., 1] > atlas.brow_top + 3) | (np.abs(atlas.position[..., 0]) > 52)
    brightness = np.where(edge, np.abs(shift[..., 0]), 0)
    other = ((hue > _HUE) | (brightness > _BRIGHTNESS)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(other, (0, 0), atlas.size / 150) < 0.25, np.float32)


def hair_colour(reflectance: Float32, occluded: Float32, atlas: Atlas) -> Float32 | None:
    """Estimate the colour of hair over the upper edge of the face.

    Args:
        reflectance: (S, S, 3) float32, RGB in [0, 1], without shading.
        occluded: (S, S) float32 in [0, 1], where the image shows an occluder instead of skin.
        atlas: of the head.

    Returns:
        (3,) float32; None where too little of the edge is occluded.
    """
    top = np.flatnonzero((occluded > 0.3) & (atlas.position[..., 1] > atlas.brow_top + 12))
    return np.median(reflectance.reshape(-1, 3)[top], axis=0) if len(top) > _LEAST_HAIR else None
