"""--verbose: the versions that a command runs with, and the time and memory that it takes, on standard error."""

import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from ddfa import __version__

_LIBRARIES: Final = ("numpy", "onnxruntime", "opencv-python-headless", "torch", "av")


@contextmanager
def described(verbose: bool) -> Iterator[None]:
    """Print versions before the block, and time and memory after it.

    Args:
        verbose: False prints nothing.
    """
    if not verbose:
        yield
        return
    versions = [f"ddfa {__version__}", f"Python {platform.python_version()}", platform.platform()]
    for name in _LIBRARIES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    print(", ".join(versions), file=sys.stderr, flush=True)
    began = time.perf_counter()
    try:
        yield
    finally:
        print(f"{time.perf_counter() - began:.2f} s{_memory()}", file=sys.stderr, flush=True)


def _memory() -> str:
    """The largest memory of this process so far; empty where it cannot be asked for."""
    try:
        import resource
    except ImportError:  # Windows
        return ""
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f", at most {largest / (1e6 if sys.platform == 'darwin' else 1e3):.0f} MB of memory"
