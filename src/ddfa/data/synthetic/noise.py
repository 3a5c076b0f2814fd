"""Smooth random fields."""

import cv2
import numpy as np

from ddfa.arrays import Float32, Floats


def smooth_noise(rng: np.random.Generator, size: int, cells: tuple[float, float], channels: int = 1) -> Float32:
    """A field of random blobs.

    Args:
        rng: source of randomness.
        size: side of the field in px.
        cells: blobs along a column and along a row; unequal ones make streaks.
        channels: independent fields.

    Returns:
        (size, size, channels) float32 of mean 0 and standard deviation 1.
    """
    coarse = rng.normal(size=(max(2, round(cells[0])), max(2, round(cells[1])), channels)).astype(np.float32)
    field = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).reshape(size, size, channels)
    return np.asarray((field - field.mean(axis=(0, 1))) / (field.std(axis=(0, 1)) + 1e-6), np.float32)


def smoothstep(values: Floats, low: float, high: float) -> Float32:
    """0 below `low`, 1 above `high`, smooth between; `low > high` falls instead."""
    t = np.clip((np.asarray(values, np.float32) - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def blend(under: Floats, over: Floats, share: Floats) -> Float32:
    """`over` laid on `under` (..., 3) with opacity `share` (...) in [0, 1]."""
    opacity = np.asarray(share, np.float32)[..., None]
    return np.asarray(under + (over - under) * opacity, np.float32)
