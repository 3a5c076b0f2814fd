"""Reading foreign pickles without running foreign code."""

import pickle
from pathlib import Path
from typing import Any

from ddfa.errors import ModelError

# All that NumPy needs to rebuild arrays and scalars, under the module names of NumPy 1 and 2; none of it
# runs code from the file. `_codecs.encode` carries bytes in pickles of protocol 2.
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
        """Resolve a global of the pickle if it belongs to an array.

        Raises:
            ModelError: any other global.
        """
        if (module, name) not in _ALLOWED:
            raise ModelError(
                f"refused: it asks for '{module}.{name}', but only arrays and plain containers may be inside"
            )
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def load_arrays(path: Path) -> Any:
    """Read a pickle of NumPy arrays, numbers, strings and plain containers.

    Args:
        path: the pickle, of Python 2 or 3.

    Returns:
        What it holds.

    Raises:
        ModelError: the file is missing, damaged, or holds anything else; nothing of it has been run.
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
