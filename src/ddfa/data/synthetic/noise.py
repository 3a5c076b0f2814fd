"""Smooth random fields."""

import cv2
import numpy as np

from ddfa.arrays import Float32

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
