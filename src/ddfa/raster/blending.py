"""Smooth steps, alpha blending, and hole filling by push-pull pyramids."""

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, Floats, UInt8


def smoothstep(values: Floats, low: float, high: float) -> Float32:
    """Return 0 below `low`, 1 above `high`, and a smooth step between; with `low > high` it falls instead."""
    t = np.clip((np.asarray(values, np.float32) - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def blend(under: Floats, over: Floats, share: Floats) -> Float32:
    """Blend `over` onto `under`, (..., 3) each, with opacity `share` (...) in [0, 1]."""
    opacity = np.asarray(share, np.float32)[..., None]
    return np.asarray(under + (over - under) * opacity, np.float32)


def fill_holes(image: UInt8, valid: Bools) -> UInt8:
    """Fill invalid pixels from their surroundings by push-pull pyramids.

    Args:
        image: (H, W, 3) uint8.
        valid: (H, W) bool.

    Returns:
        (H, W, 3) uint8; valid pixels are unchanged.
    """
    if valid.all() or not valid.any():
        return image
    filled = push_pull(image, valid)
    result = np.where(valid[..., None], image, np.clip(filled, 0, 255))
    return np.asarray(result, np.uint8)


def push_pull(values: Floats | UInt8, weight: Floats | Bools) -> Float32:
    """Interpolate values smoothly over pixels without any (Gortler et al., "The Lumigraph", 1996, section 4.3).

    The pull averages known values down a pyramid; the push fills gaps of each level from the coarser one below it.

    Args:
        values: (H, W, C).
        weight: (H, W) in [0, 1], confidence; where it is 1 the value stays. It must not be 0 everywhere.

    Returns:
        (H, W, C) float32.
    """
    trust = np.asarray(weight, np.float32)[..., None]
    # Values are premultiplied, so that unknown pixels do not darken the coarser levels.
    levels: list[tuple[Float32, Float32]] = [(np.asarray(values * trust, np.float32), trust)]
    while min(levels[-1][0].shape[:2]) > 2:
        colour, mass = (np.asarray(cv2.pyrDown(layer), np.float32) for layer in levels[-1])
        levels.append((np.atleast_3d(colour), mass.reshape(*mass.shape[:2], 1)))
    colour, mass = levels[-1]
    filled = np.asarray(colour / np.maximum(mass, 1e-6), np.float32)
    for colour, mass in reversed(levels[:-1]):
        height, width = colour.shape[:2]
        coarse = np.asarray(cv2.resize(cv2.pyrUp(filled)[:height, :width], (width, height)), np.float32)
        fine = colour / np.maximum(mass, 1e-6)
        share = np.clip(mass, 0, 1)
        filled = np.asarray(share * fine + (1 - share) * coarse.reshape(fine.shape), np.float32)
    return filled
