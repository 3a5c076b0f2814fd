"""Readers for head models: the shipped one, `.npz` files, and files of the original 3DDFA that the user has.

The original bases derive from the Basel Face Model, which is for academic use only. They are read from the user's disk
and never shipped.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Float32, Int32
from ddfa.errors import ModelError, reading
from ddfa.files import check_regular
from ddfa.head.model import HeadModel
from ddfa.head.open import load_npz, load_open_head
from ddfa.pickles import load_arrays

_AGAIN = "download it again"
_BASEL_LICENCE = "derived from the Basel Face Model: academic use only, not to be passed on"
_V1_FILES = ("u_shp", "u_exp", "w_shp_sim", "w_exp_sim", "keypoints_sim")
_V1_WHITENING, _V2_WHITENING = "param_whitening.pkl", "param_mean_std_62d_120x120.pkl"
_V2_KEYS = ("u", "w_shp", "w_exp", "keypoints")


def load_head(path: str | Path | None) -> HeadModel:
    """Load a head model of any kind; see `HeadModel.load`."""
    if path is None:
        return load_open_head()
    path = Path(path)
    if not path.exists():
        raise ModelError(f"no head model at {path}: use an .npz, a V1 train.configs folder or a V2 .pkl")
    head = _read(path)
    head.__dict__["origin"] = path.absolute()  # not a field: a changed copy has no origin
    return head


def _read(path: Path) -> HeadModel:
    if path.is_dir():
        return read_v1_folder(path)
    return read_v2_pickle(path) if path.suffix == ".pkl" else load_npz(path)


def read_v1_folder(folder: Path) -> HeadModel:
    """Read a 3DDFA V1 `train.configs` folder.

    The original folder does not contain the triangles. They are read from `tri.mat` or `tri.pkl` in it or from
    `visualize/tri.mat` beside it, as in the original repository; without them the model can be decoded but has no
    surface (`triangles` is empty). The standard deviations come from `param_whitening.pkl`; without it they are 1.

    Args:
        folder: contains u_shp, u_exp, w_shp_sim, w_exp_sim and keypoints_sim as `.npy`.

    Returns:
        The model "bfm-v1" (53215 vertices).

    Raises:
        ModelError: a file is missing or damaged.
    """
    u_shp, u_exp, w_shp, w_exp, keypoints = (_read_npy(folder / f"{name}.npy") for name in _V1_FILES)
    triangle_file = _v1_triangles(folder)
    triangles = np.zeros((0, 3), np.int32) if triangle_file is None else read_triangles(triangle_file)
    return _basel("bfm-v1", u_shp + u_exp, w_shp, w_exp, keypoints, triangles, folder / _V1_WHITENING)


def _v1_triangles(folder: Path) -> Path | None:
    candidates = [folder / "tri.mat", folder / "tri.pkl", folder.parent / "visualize" / "tri.mat"]
    return next((path for path in candidates if path.is_file()), None)


def read_v2_pickle(path: Path) -> HeadModel:
    """Read a 3DDFA_V2 `bfm_noneck_v3.pkl`.

    The triangles in the pickle index the vertices of a larger mesh (46859) from which this one was cut; renumbering
    them gives exactly the original `tri.pkl`. If that file is beside the pickle, it is used instead, as in the original
    code. The standard deviations come from `param_mean_std_62d_120x120.pkl` beside it; without it they are 1.

    Args:
        path: the pickle.

    Returns:
        The model "bfm-v2" (38365 vertices).

    Raises:
        ModelError: the pickle is damaged, lacks an entry or contains anything but arrays.
    """
    content = load_arrays(path)
    if not isinstance(content, dict) or not set(_V2_KEYS) <= content.keys():
        raise ModelError(f"{path} is not a 3DDFA_V2 basis: it must have the entries {', '.join(_V2_KEYS)}")
    beside = path.with_name("tri.pkl")
    if beside.is_file():
        triangles = read_triangles(beside)
    else:
        triangles = _as_triangles(content.get("tri", np.zeros((3, 0), np.int32)), path)
        if triangles.max(initial=-1) >= np.size(content["u"]) // 3:
            triangles = _renumber(triangles)
    mean, shape, expression, keypoints = (np.asarray(content[key]) for key in _V2_KEYS)
    whitening = path.with_name(_V2_WHITENING)
    return _basel("bfm-v2", mean, shape, expression, keypoints, triangles, whitening)


def read_triangles(path: Path) -> Int32:
    """Read the triangles of the original 3DDFA, `tri.mat` (1-based) or `tri.pkl` (0-based).

    The original triangles are clockwise seen from outside in a y-up space. Their corners are reversed here, so that
    `triangles[:, ::-1]` is the original order.

    Args:
        path: the file.

    Returns:
        (T, 3) int32, 0-based, counter-clockwise.

    Raises:
        ModelError: the file is damaged.
    """
    if path.suffix != ".mat":
        return _as_triangles(load_arrays(path), path)
    from scipy.io import loadmat

    check_regular(path, ModelError)
    with reading(path, ModelError, "no file with an array 'tri'", _AGAIN):
        return _as_triangles(np.asarray(loadmat(path)["tri"], np.int64) - 1, path)


def original_files(path: Path) -> dict[str, Path]:
    """List the files of an original 3DDFA basis, for copying it.

    Args:
        path: a V1 folder or a V2 pickle.

    Returns:
        Name in one flat folder -> file. Reading the copied folder (V1) or pickle (V2) returns the same model.
    """
    if path.is_dir():
        files = [path / f"{name}.npy" for name in _V1_FILES] + [path / _V1_WHITENING, _v1_triangles(path)]
    else:
        files = [path, path.with_name("tri.pkl"), path.with_name(_V2_WHITENING)]
    return {file.name: file for file in files if file is not None and file.is_file()}


def _renumber(triangles: Int32) -> Int32:
    """Number vertices by their rank among those in use: the mesh was cut without reordering its vertices."""
    ranks = np.unique(triangles, return_inverse=True)[1]
    return ranks.reshape(triangles.shape).astype(np.int32)


def _as_triangles(columns: Any, path: Path) -> Int32:
    if not isinstance(columns, np.ndarray) or columns.ndim != 2 or len(columns) != 3:
        raise ModelError(f"{path}: triangles must be an array (3, T)")
    return np.ascontiguousarray(columns.T[:, ::-1].astype(np.int32))


def _basel(
    name: str,
    mean: NDArray[Any],
    shape: NDArray[Any],
    expression: NDArray[Any],
    keypoints: NDArray[Any],
    triangles: Int32,
    whitening: Path,
) -> HeadModel:
    """Build a model from the original arrays: rows are interleaved x, y, z; keypoints are row indices."""
    rows = mean.size
    if rows % 3 or {len(shape), len(expression)} != {rows} or keypoints.shape != (204,):
        raise ModelError(
            f"the basis files do not fit together: mean {mean.shape}, shape {shape.shape}, "
            f"expression {expression.shape}, keypoints {keypoints.shape}"
        )
    axes = (keypoints.reshape(68, 3) // 3).astype(np.int32)
    return HeadModel(
        name=name,
        mean=mean.reshape(-1, 3).astype(np.float32),
        identity_basis=_modes(shape),
        expression_basis=_modes(expression),
        identity_std=_identity_std(whitening, shape.shape[1]),
        expression_names=tuple(f"exp{k}" for k in range(expression.shape[1])),
        triangles=triangles,
        landmark_vertices=np.repeat(axes[:, :1], 3, axis=1),
        landmark_weights=np.tile(np.array([1, 0, 0], np.float32), (68, 1)),
        licence=_BASEL_LICENCE,
        regions={"skin": np.ones(rows // 3, bool)},
        landmark_axes=axes if (axes != axes[:, :1]).any() else None,
    )


def _modes(basis: NDArray[Any]) -> Float32:
    return np.ascontiguousarray(basis.T, np.float32).reshape(basis.shape[1], -1, 3)


def _identity_std(whitening: Path, identities: int) -> Float32:
    if not whitening.is_file():
        return np.ones(identities, np.float32)
    return read_whitening(whitening)[1][12 : 12 + identities]


def read_whitening(path: Path) -> tuple[Float32, Float32]:
    """Read the whitening of the original 3DDFA, `param_whitening.pkl` (V1) or `param_mean_std_62d_120x120.pkl` (V2).

    Args:
        path: the pickle.

    Returns:
        Mean and standard deviation, (P,) float32 each.

    Raises:
        ModelError: the file is damaged or lacks its entries.
    """
    content = load_arrays(path)
    for prefix in ("", "param_"):
        if isinstance(content, dict) and {f"{prefix}mean", f"{prefix}std"} <= content.keys():
            mean, std = (np.asarray(content[f"{prefix}{key}"], np.float32).reshape(-1) for key in ("mean", "std"))
            return mean, std
    raise ModelError(f"{path} is not a whitening file: it must have 'mean' and 'std', or 'param_mean' and 'param_std'")


def _read_npy(path: Path) -> NDArray[Any]:
    if not path.exists():
        raise ModelError(f"{path.parent} is not a complete V1 train.configs folder: {path.name} is missing")
    check_regular(path, ModelError)
    with reading(path, ModelError, "damaged or not an array of numbers", _AGAIN):
        array = np.load(path, allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
            raise ValueError("an array of other things")
        return array
