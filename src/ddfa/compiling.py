"""Compilation of kernels with Numba.

Importing this module takes a third of a second, so modules with kernels are imported where they are used.
"""

from collections.abc import Callable
from typing import TypeVar

import numba

_Result = TypeVar("_Result")


def compiled(kernel: Callable[..., _Result], fast: bool = False) -> Callable[..., _Result]:
    """Compile a kernel; the result is cached on disk if a cache folder is writable (in some containers none is).

    Args:
        kernel: the function.
        fast: allow fused multiply-add, which rounds once instead of twice.

    Returns:
        The compiled kernel.
    """
    fastmath = {"contract"} if fast else False
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=fastmath)(kernel)
    except RuntimeError:
        return numba.njit(nogil=True, error_model="numpy", fastmath=fastmath)(kernel)
