"""Kernels compiled by Numba. Importing this takes a third of a second: do it where they are used."""

from collections.abc import Callable
from typing import TypeVar

import numba

_Result = TypeVar("_Result")


def compiled(kernel: Callable[..., _Result], fast: bool = False) -> Callable[..., _Result]:
    """Compile a kernel; the result is kept on disk, unless no folder for it can be written (as in some containers).

    Args:
        kernel: what to compile.
        fast: products and sums may be fused, which rounds once less.

    Returns:
        The compiled kernel.
    """
    fastmath = {"contract"} if fast else False
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=fastmath)(kernel)
    except RuntimeError:
        return numba.njit(nogil=True, error_model="numpy", fastmath=fastmath)(kernel)
