"""Whether Numba has compiled its kernels before: the first run does, which takes some seconds. Imports no library."""

import os
from pathlib import Path

import ddfa


def kernel_folder() -> Path:
    """Where compiled kernels are kept, if it is writable: `NUMBA_CACHE_DIR`, or beside the sources."""
    return Path(os.environ.get("NUMBA_CACHE_DIR") or Path(ddfa.__file__).parent)


def compiled_kernels() -> int:
    """The number of compiled kernels in that folder."""
    return sum(1 for _ in kernel_folder().rglob("*.nbi"))


def will_compile() -> bool:
    """Whether kernels will be compiled and kept for later runs."""
    folder = kernel_folder()
    return not compiled_kernels() and (os.access(folder, os.W_OK) or not folder.exists())
