"""Text files in the format of original 3DDFA."""

from pathlib import Path

import numpy as np

from ddfa.arrays import Float32
from ddfa.files import write_atomically


def write_landmarks(path: Path, landmarks: Float32) -> None:
    """Write landmarks as three rows, x, y and z, of `%.3f` numbers.

    Args:
        path: the file.
        landmarks: (68, 3), image space px.

    Raises:
        OutputError: if it cannot be written.
    """
    rows = (" ".join(f"{number:.3f}" for number in axis) for axis in np.asarray(landmarks, np.float32).T)
    write_atomically(path, "".join(row + "\n" for row in rows).encode("ascii"))


def write_roi(path: Path, roi: Float32) -> None:
    """Write a RoI as four lines, x0, y0, x1 and y1, of `%.3f` numbers.

    Args:
        path: the file.
        roi: (4,), image px.

    Raises:
        OutputError: if it cannot be written.
    """
    write_atomically(path, "".join(f"{number:.3f}\n" for number in roi).encode("ascii"))
