"""Writes maps: 16-bit PNG files and NumPy arrays."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ddfa.files import write_atomically


def write_png16(path: Path, pixels: NDArray[np.uint16]) -> None:
    """Write a PNG of 16 bits per channel.

    Args:
        path: the file.
        pixels: (H, W) grey or (H, W, 3) RGB.

    Raises:
        OutputError: if it cannot be written.
    """
    bgr = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., ::-1])
    write_atomically(path, cv2.imencode(".png", bgr)[1].tobytes())


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array as `.npy`.

    Args:
        path: the file.
        array: of any shape and type.

    Raises:
        OutputError: if it cannot be written.
    """
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    write_atomically(path, file.getvalue())
