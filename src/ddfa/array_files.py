"""Arrays by anybody: .npz files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ddfa.errors import DDFAError, reading
from ddfa.files import check_regular


@contextmanager
def open_npz(path: Path, error: type[DDFAError], what: str, fix: str) -> Iterator[Any]:
    """Open an .npz file to read arrays by name; objects are refused.

    Args:
        path: the file.
        error: what is raised if it cannot be read, also by reading from it.
        what: completes the sentence "FILE is ...", as in `reading`.
        fix: what the user can do.

    Yields:
        The `numpy.lib.npyio.NpzFile`.

    Raises:
        DDFAError: of the type `error`.
    """
    check_regular(path, error)
    with reading(path, error, what, fix), np.load(path, allow_pickle=False) as file:
        yield file
