"""Smooth random fields."""

import cv2
import numpy as np

from ddfa.arrays import Float32, Floats

_LOSS = 1.25  # of standard deviation, when independent values are interpolated


def smooth_noise(rng: np.random.Generator, size: int, cells: tuple[float, float], channels: int = 1) -> Float32:
    """A field of random blobs.

    Args:
        rng: source of randomness.
        size: side of the field in px.
        cells: blobs along a column and along a row; unequal ones make streaks.
        channels: independent fields.

    Returns:
        (size, size, channels) float32 of mean 0 and a standard deviation near 1.
    """
    coarse = rng.normal(size=(max(2, round(cells[0])), max(2, round(cells[1])), channels)).astype(np.float32)
    coarse -= coarse.mean(axis=(0, 1))
    coarse *= np.float32(_LOSS)
    field = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(field, np.float32).reshape(size, size, channels)


def smoothstep(values: Floats, low: float, high: float) -> Float32:
    """0 below `low`, 1 above `high`, smooth between; `low > high` falls instead."""
    t = np.clip((np.asarray(values, np.float32) - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def blend(under: Floats, over: Floats, share: Floats) -> Float32:
    """`over` laid on `under` (..., 3) with opacity `share` (...) in [0, 1]."""
    opacity = np.asarray(share, np.float32)[..., None]
    return np.asarray(under + (over - under) * opacity, np.float32)
