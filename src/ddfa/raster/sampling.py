"""Sampling of images at sub-pixel positions."""

from typing import Any

import cv2
import numpy as np

from ddfa.arrays import Float32, Floats


def sample(image: Any, positions: Floats, *, nearest: bool = False) -> Float32:
    """Sample an image; outside, its border is repeated.

    Args:
        image: (h, w) or (h, w, C), of any type OpenCV accepts; interpolated uint8 values are rounded.
        positions: (..., 2 or more) px, x and y first; pixel centres are integers.
        nearest: return the nearest pixel instead of interpolating between four.

    Returns:
        (..., C) float32; C is 1 for an image without channels.
    """
    shape = positions.shape[:-1]
    columns = shape[-1] if len(shape) > 1 else 1  # OpenCV expects a 2D map
    x, y = (np.ascontiguousarray(positions[..., axis], np.float32).reshape(-1, columns) for axis in range(2))
    method = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    found = cv2.remap(image, x, y, method, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32).reshape(*shape, -1)
