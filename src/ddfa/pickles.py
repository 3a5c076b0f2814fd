"""Reads untrusted pickles of arrays without executing code from them."""

import pickle
from pathlib import Path
from typing import Any

from ddfa.errors import ModelError

# Everything NumPy needs to rebuild arrays and scalars, under the module names of NumPy 1 and 2; none of it executes
# code from the file. Pickles of protocol 2 encode bytes with `_codecs.encode`.
_ALLOWED = {
    (f"numpy.{core}.{module}", name)
    for core in ("core", "_core")
    for module, name in [
        ("multiarray", "_reconstruct"),
        ("multiarray", "scalar"),
        ("numeric", "_frombuffer"),
    ]
} | {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}


class _ArrayUnpickler(pickle.Unpickler):
    """Rebuilds NumPy arrays, numbers, strings and plain containers, and refuses every other class."""

    def find_class(self, module: str, name: str) -> Any:
        """Resolve a global of the pickle if arrays need it.

        Raises:
            ModelError: for any other global.
        """
        if (module, name) not in _ALLOWED:
            raise ModelError(
                f"refused: it refers to '{module}.{name}', but only arrays and plain containers are allowed"
            )
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def load_arrays(path: Path) -> Any:
    """Read a pickle of NumPy arrays, numbers, strings and plain containers.

    Args:
        path: the pickle, written by Python 2 or 3.

    Returns:
        The unpickled object.

    Raises:
        ModelError: the file is missing, damaged or contains anything else; none of its code is executed.
    """
    try:
        with path.open("rb") as file:
            return _ArrayUnpickler(file, encoding="latin1").load()
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from None
    except Exception as error:  # a damaged pickle can fail in any way
        raise ModelError(f"{path} is not a readable pickle of arrays ({error})") from None
