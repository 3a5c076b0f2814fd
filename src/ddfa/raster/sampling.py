"""Pictures looked up between their pixels."""

from typing import Any

import cv2
import numpy as np

from ddfa.arrays import Float32, Floats


def sample(picture: Any, places: Floats, *, nearest: bool = False) -> Float32:
    """Look up a picture at places; outside, its border is repeated.

    Args:
        picture: (h, w) or (h, w, C), of any type OpenCV takes; bytes are rounded to bytes.
        places: (..., 2 or more) px, x and y first; pixel centres are integers.
        nearest: take the nearest pixel instead of interpolating between four.

    Returns:
        (..., C) float32; C is 1 for a picture without channels.
    """
    shape = places.shape[:-1]
    columns = shape[-1] if len(shape) > 1 else 1  # OpenCV wants a picture of places
    x, y = (np.ascontiguousarray(places[..., axis], np.float32).reshape(-1, columns) for axis in range(2))
    method = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    found = cv2.remap(picture, x, y, method, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32).reshape(*shape, -1)
