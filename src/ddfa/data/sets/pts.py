"""The `.pts` files of human landmark annotation (300-W, AFW, HELEN, LFPW, iBUG, Menpo).

They are text: `version: 1`, `n_points: 68`, then one line `x y` per point between braces.
"""

from pathlib import Path

import numpy as np

from ddfa.arrays import Float32
from ddfa.errors import DataError, reading
from ddfa.files import read_file


def read_pts(path: Path) -> Float32:
    """Read the points of one face.

    The files count pixels from 1, as MATLAB does; the result counts them from 0.

    Args:
        path: the file.

    Returns:
        (K, 2) float32 px.

    Raises:
        DataError: the file is missing or damaged.
    """
    return parse_pts(read_file(path, DataError), str(path))


def parse_pts(content: bytes, name: str) -> Float32:
    """Parse the contents of a `.pts` file, see `read_pts`; `name` is for error messages."""
    with reading(name, DataError, "no .pts file", "it needs n_points and that many lines x y"):
        head, _, rest = content.decode("utf-8-sig").partition("{")
        words = head.replace(":", " ").split()
        count = int(words[words.index("n_points") + 1])
        points = np.array(rest.partition("}")[0].split(), np.float32).reshape(count, 2)
    if not np.isfinite(points).all():
        raise DataError(f"{name} contains points that are not finite: remove it")
    return points - np.float32(1)
