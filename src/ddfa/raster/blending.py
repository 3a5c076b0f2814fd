"""Soft steps, layers over layers, and holes filled from around them."""

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, Floats, UInt8


def smoothstep(values: Floats, low: float, high: float) -> Float32:
    """0 below `low`, 1 above `high`, smooth between; `low > high` falls instead."""
    t = np.clip((np.asarray(values, np.float32) - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def blend(under: Floats, over: Floats, share: Floats) -> Float32:
    """`over` laid on `under` (..., 3) with opacity `share` (...) in [0, 1]."""
    opacity = np.asarray(share, np.float32)[..., None]
    return np.asarray(under + (over - under) * opacity, np.float32)


def fill_holes(picture: UInt8, covered: Bools) -> UInt8:
    """Fill uncovered pixels from their surroundings by push-pull pyramids.

    Args:
        picture: (H, W, 3) uint8.
        covered: (H, W) bool, True where the picture is valid.

    Returns:
        (H, W, 3) uint8; covered pixels are unchanged.
    """
    if covered.all() or not covered.any():
        return picture
    filled = push_pull(picture, covered)
    result = np.where(covered[..., None], picture, np.clip(filled, 0, 255))
    return np.asarray(result, np.uint8)


def push_pull(values: Floats | UInt8, weight: Floats | Bools) -> Float32:
    """Draw values over places without any, smoothly: nearer ones count for more.

    Args:
        values: (H, W, C).
        weight: (H, W) in [0, 1], trust in each; where it is 1 the value stays. Somewhere it must not be 0.

    Returns:
        (H, W, C) float32.
    """
    trust = np.asarray(weight, np.float32)[..., None]
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
