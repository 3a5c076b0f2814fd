"""Smooth noise."""

import cv2
import numpy as np

from ddfa.arrays import Float32

_LOSS = 1.25  # interpolation of independent values reduces the standard deviation by this factor


def smooth_noise(rng: np.random.Generator, size: int, cells: tuple[float, float], channels: int = 1) -> Float32:
    """Draw a smooth random field.

    Args:
        rng: source of randomness.
        size: side of the field in px.
        cells: number of cells along a column and along a row; unequal numbers make streaks.
        channels: number of independent fields.

    Returns:
        (size, size, channels) float32 of mean 0 and a standard deviation near 1.
    """
    coarse = rng.normal(size=(max(2, round(cells[0])), max(2, round(cells[1])), channels)).astype(np.float32)
    coarse -= coarse.mean(axis=(0, 1))
    coarse *= np.float32(_LOSS)
    field = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(field, np.float32).reshape(size, size, channels)
