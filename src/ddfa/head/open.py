"""Head models as `.npz` files, and the open head that ships with the package.

A file contains the fields of `HeadModel` under their names, and region masks as `region_<name>`. A basis may be stored
as integers with one scale per mode (`identity_basis_scale` (I,), `expression_basis_scale` (E,)) to keep the file small.

The open head is stored more compactly still: its mean and bases are those of a coarse control mesh, and the file
contains the fixed linear operator that maps it to the dense mesh (one level of Loop subdivision, and the spheres of the
eyes), as the three arrays of a sparse matrix (V, C) in CSR form: `stencil_weights`, `stencil_columns`,
`stencil_starts`.
"""

import zipfile
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ddfa.arrays import Float32
from ddfa.errors import ModelError, reading, reason
from ddfa.files import check_regular
from ddfa.head.checks import check_extent
from ddfa.head.model import HeadModel

OPEN_HEAD = Path(__file__).parent / "assets" / "open_head.npz"
_BASES = ("identity_basis", "expression_basis")
_REGION = "region_"
_METRE = 1000.0  # mm
MAX_BYTES = 1 << 30
"""Largest size of the arrays of a file."""


@cache
def load_open_head() -> HeadModel:
    """Load the shipped open head, once per process.

    Raises:
        ModelError: the file is missing from the installation.
    """
    if not OPEN_HEAD.is_file():
        raise ModelError("the open head model is missing from this installation: build it with tools/build_head.py")
    head = load_npz(OPEN_HEAD)
    head.__dict__["origin"] = None  # see `ddfa.head.references`
    return head


def load_npz(path: Path) -> HeadModel:
    """Load a head model from `.npz`.

    Args:
        path: a file as described in the module docstring, for instance written by `tools/build_head.py`.

    Returns:
        The model, with its bases expanded to float32.

    Raises:
        ModelError: the file is missing, damaged or incomplete.
    """
    check_regular(path, ModelError)
    with reading(
        path, ModelError, "damaged or not a head model", "use an .npz, a V1 train.configs folder or a V2 .pkl"
    ):
        stored = _arrays(path)
    known = {field.name for field in fields(HeadModel)}
    values: dict[str, Any] = {name: array for name, array in stored.items() if name in known}
    values["regions"] = {
        name.removeprefix(_REGION): mask.astype(bool) for name, mask in stored.items() if name.startswith(_REGION)
    }
    try:
        for name in _BASES:
            values[name] = _expand(stored[name], stored.get(f"{name}_scale"))
        if "stencil_starts" in stored:
            values |= _subdivide(stored, values)
        values["name"], values["licence"] = str(stored["name"]), str(stored["licence"])
        values["expression_names"] = tuple(str(name) for name in stored["expression_names"])
        head = HeadModel(**values)
        check_extent(head, _METRE)
        return head
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except Exception as error:  # arrays of any shape and kind may raise anything
        raise ModelError(f"{path} is not a complete head model ({reason(error)})") from None


def _arrays(path: Path) -> dict[str, Any]:
    """Read the arrays of an `.npz`.

    Raises:
        ValueError: they would take more than a gigabyte, or one contains objects.
    """
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
            raise ValueError("it is too large")
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def _expand(basis: Any, scale: Any) -> Float32:
    expanded = np.asarray(basis, np.float32)
    return expanded if scale is None else expanded * np.asarray(scale, np.float32)[:, None, None]


def _subdivide(stored: dict[str, Any], controls: dict[str, Any]) -> dict[str, Float32]:
    """Compute the dense mean and bases from those of the control mesh."""
    from scipy.sparse import csr_array  # imported here: it is slow to import, and the original models do not need it

    shapes = np.concatenate([controls["mean"][None], *(controls[name] for name in _BASES)])
    matrix = (stored["stencil_weights"], stored["stencil_columns"].astype(np.int32), stored["stencil_starts"])
    weights, columns, starts = matrix
    # SciPy checks neither that rows are consecutive nor that columns exist before its kernels use them.
    rising = starts.ndim == 1 and len(starts) > 0 and starts[0] == 0 and (np.diff(starts.astype(np.int64)) >= 0).all()
    if not rising or starts[-1] != len(columns) or weights.shape != columns.shape or not np.isfinite(weights).all():
        raise ValueError("the rows of its stencil do not fit together")
    if len(columns) and not 0 <= columns.min() <= columns.max() < shapes.shape[1]:
        raise ValueError("its stencil refers to vertices that do not exist")
    operator = csr_array(matrix, shape=(len(matrix[2]) - 1, shapes.shape[1]))
    flat = np.ascontiguousarray(shapes.transpose(1, 0, 2)).reshape(shapes.shape[1], -1)
    dense = (operator @ flat).reshape(-1, len(shapes), 3).transpose(1, 0, 2)
    mean, identity, expression = np.split(np.ascontiguousarray(dense), [1, 1 + len(controls[_BASES[0]])])
    return {"mean": mean[0], "identity_basis": identity, "expression_basis": expression}
