"""Reads untrusted pickles of arrays without executing code from them.

Neither classes nor functions of NumPy are called with what a file contains: states of dtypes and arrays that lie about
sizes or object fields would make NumPy follow addresses from the file. Stand-ins for them check shape, dtype and bytes,
and the arrays are built from these.
"""

import math
import pickle
import re
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ddfa.errors import ModelError, reason
from ddfa.files import read_file

# A byte order, a kind (bool, signed, unsigned, float) and a size.
_PLAIN_DTYPE: Final = re.compile(r"[<>|=]?(b1|i[1248]|u[1248]|f[248]|\?)")
_MAX_DIMENSIONS: Final = 16


class _Dtype:
    """Stands in for `numpy.dtype`: plain numbers only."""

    __slots__ = ("_order", "_spec")

    def __init__(self, spec: Any, align: Any = False, copy: Any = False) -> None:
        name = spec.decode("latin1") if isinstance(spec, bytes) else spec
        if not isinstance(name, str) or not _PLAIN_DTYPE.fullmatch(name):
            raise ModelError(f"refused: arrays of {name!r:.40}, only plain numbers are allowed")
        self._spec, self._order = name.lstrip("<>|="), _byte_order(name[0])

    def __setstate__(self, state: Any) -> None:
        # (version, byte order, subarray, names, fields, item size, alignment, flags[, metadata])
        if not isinstance(state, tuple) or len(state) not in (8, 9):
            raise ModelError("refused: the state of a dtype is malformed")
        order, *rest = state[1:]
        order = order.decode("latin1") if isinstance(order, bytes) else order
        if order not in ("<", ">", "|", "=") or rest[:3] != [None] * 3 or rest[3:6] != [-1, -1, 0] or any(rest[6:]):
            raise ModelError("refused: arrays with fields or objects, only plain numbers are allowed")
        self._order = _byte_order(order)

    @property
    def dtype(self) -> "np.dtype[Any]":
        """The NumPy dtype."""
        return np.dtype(self._spec).newbyteorder(self._order)


def _byte_order(code: str) -> Literal["<", ">", "="]:
    return "<" if code == "<" else ">" if code == ">" else "="


class _Array:
    """Stands in for an array until the whole pickle is read."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: NDArray[Any] | None = None

    def __setstate__(self, state: Any) -> None:
        # ([version,] shape, dtype, Fortran order, data)
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise ModelError("refused: the state of an array is malformed")
        shape, dtype, fortran, data = state[-4:]
        self.values = _array(data, dtype, shape, "F" if fortran else "C")


class _Function:
    """A stand-in for a function that pickles of arrays call; a name that the pickle may refer to."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *arguments: Any) -> Any:
        match self._name, arguments:
            case "_reconstruct", _:
                return _Array()
            case "scalar", (dtype, data):
                return _array(data, dtype, (), "C")[()]
            case "_frombuffer", (data, dtype, shape, order) if order in ("C", "F"):
                return _array(data, dtype, shape, order)
            case "encode", (str() as text, "latin1" | "latin-1"):  # bytes in pickles of protocol 2
                return text.encode("latin-1")
        raise ModelError("refused: an array is not stored in a way that NumPy uses")


# Names of NumPy 1 and 2; nothing else is resolved.
_STAND_INS: Final[dict[tuple[str, str], Any]] = {
    (f"numpy.{core}.{module}", name): _Function(name)
    for core in ("core", "_core")
    for module, name in (("multiarray", "_reconstruct"), ("multiarray", "scalar"), ("numeric", "_frombuffer"))
} | {("numpy", "ndarray"): _Array, ("numpy", "dtype"): _Dtype, ("_codecs", "encode"): _Function("encode")}


# The implementation in Python: that in C reserves memory for whatever number a file gives to an object.
class _ArrayUnpickler(pickle._Unpickler):
    """Rebuilds arrays, numbers, strings and plain containers, and refuses every other class."""

    def find_class(self, module: str, name: str) -> Any:
        """Resolve a global of the pickle if arrays need it.

        Raises:
            ModelError: for any other global.
        """
        if (module, name) not in _STAND_INS:
            raise ModelError(
                f"refused: it refers to '{module}.{name}', but only arrays and plain containers are allowed"
            )
        return _STAND_INS[module, name]


def load_arrays(path: Path) -> Any:
    """Read a pickle of NumPy arrays, numbers, strings and plain containers.

    Args:
        path: the pickle, written by Python 2 or 3.

    Returns:
        The unpickled object. Arrays are contiguous, in native byte order and read-only.

    Raises:
        ModelError: the file is missing, damaged, too large or contains anything else; none of its code is executed.
    """
    content = read_file(path, ModelError)
    try:
        return _resolved(_ArrayUnpickler(BytesIO(content), encoding="latin1").load(), {})
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except Exception as error:  # a damaged pickle can fail in any way
        raise ModelError(f"{path} is not a readable pickle of arrays ({reason(error)})") from None


def _array(data: Any, dtype: Any, shape: Any, order: str) -> NDArray[Any]:
    """Build an array from checked parts.

    Raises:
        ModelError: the parts do not fit together.
    """
    if isinstance(data, str):  # bytes in pickles of Python 2
        data = data.encode("latin-1")
    whole = isinstance(shape, tuple) and all(type(side) is int and side >= 0 for side in shape)
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes | bytearray) or not whole:
        raise ModelError("refused: an array is not stored as shape, plain numbers and bytes")
    if len(shape) > _MAX_DIMENSIONS or math.prod(shape) * dtype.dtype.itemsize != len(data):
        raise ModelError(f"refused: an array of shape {shape!s:.60} does not fit its {len(data)} bytes")
    values = np.frombuffer(bytes(data), dtype.dtype)
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    native.flags.writeable = False
    return native.reshape(shape, order="F" if order == "F" else "C")


def _resolved(value: Any, done: dict[int, Any]) -> Any:
    """Replace the stand-ins in nested containers by arrays; containers that refer to themselves are refused."""
    if isinstance(value, _Array):
        if value.values is None:
            raise ModelError("refused: an array has no values")
        return value.values
    if isinstance(value, _Dtype):
        return value.dtype
    if isinstance(value, type | _Function):
        raise ModelError("refused: it contains a class or a function")
    if not isinstance(value, list | tuple | dict):
        return value
    if id(value) not in done:
        done[id(value)] = ModelError("refused: a container contains itself")
        if isinstance(value, dict):
            done[id(value)] = {_key(key): _resolved(entry, done) for key, entry in value.items()}
        else:
            done[id(value)] = type(value)(_resolved(entry, done) for entry in value)
    result = done[id(value)]
    if isinstance(result, ModelError):
        raise result
    return result


def _key(key: Any) -> Any:
    if isinstance(key, _Array | _Dtype | _Function | tuple):
        raise ModelError("refused: a key of a dictionary is not a plain value")
    return key
