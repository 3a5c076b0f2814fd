"""Checks of the arrays of a head model, so that no kernel follows an index or a number that a file has made up."""

from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np

from ddfa.arrays import Floats
from ddfa.errors import ModelError

if TYPE_CHECKING:
    from ddfa.head.model import HeadModel

_METRE: Final = 1e6
"""A metre in the smallest unit in use: that of the Basel models is the micrometre."""

_FLOATS: Final = ("mean", "identity_basis", "expression_basis", "identity_std", "landmark_weights", "uv")
_SUM_TOLERANCE: Final = 1e-3


def check_head(head: "HeadModel", metre: float = _METRE) -> None:
    """Check the arrays of a head model.

    Args:
        head: the model.
        metre: in its units; neither a vertex nor its displacement by a mode may be larger.

    Raises:
        ModelError: an array has the wrong shape or type, indices out of range, or numbers that are not finite or
            absurd.
    """
    _check_shapes(head)
    for name in _FLOATS:
        array = getattr(head, name)
        if array is None:
            continue
        if array.dtype.kind != "f":
            _fail(head, f"{name} has the type {array.dtype}, expected float32")
        if not np.isfinite(array).all():
            _fail(head, f"{name} contains numbers that are not finite")
    _check_indices(head)
    if not (abs(head.landmark_weights.sum(axis=1) - 1) < _SUM_TOLERANCE).all() or _largest(head.landmark_weights) > 2:
        _fail(head, "landmark_weights are not barycentric: each row must have the sum 1")
    if head.uv is not None and not ((head.uv >= 0) & (head.uv <= 1)).all():
        _fail(head, "uv is outside [0, 1]")
    if head.identity_mirror is not None and not (abs(head.identity_mirror) == 1).all():
        _fail(head, "identity_mirror has values other than 1 and -1")
    if head.identity_std.size and not (head.identity_std >= 0).all():
        _fail(head, "identity_std has negative values")
    check_extent(head, metre)


def check_extent(head: "HeadModel", metre: float) -> None:
    """Check that neither vertices nor modes are larger than a metre, given in the units of the head.

    Raises:
        ModelError: they are.
    """
    # Mode by mode, in double precision: neither a temporary array of all modes nor an overflow.
    modes = [_largest(mode) * float(std) for mode, std in zip(head.identity_basis, head.identity_std, strict=True)]
    modes += [_largest(mode) for mode in head.expression_basis]
    for name, largest in (("mean", _largest(head.mean)), ("a mode", max(modes, default=0.0))):
        if largest > metre:
            _fail(head, f"{name} reaches {largest:.3g}, more than a metre")


def _check_shapes(head: "HeadModel") -> None:
    vertices, triangles = len(np.atleast_1d(head.mean)), len(np.atleast_1d(head.triangles))
    identities, expressions = np.size(head.identity_std), len(head.expression_names)
    shapes: dict[str, tuple[Any, tuple[int | None, ...]]] = {
        "mean": (head.mean, (vertices, 3)),
        "identity_std": (head.identity_std, (identities,)),
        "identity_basis": (head.identity_basis, (identities, vertices, 3)),
        "expression_basis": (head.expression_basis, (expressions, vertices, 3)),
        "triangles": (head.triangles, (triangles, 3)),
        "landmark_vertices": (head.landmark_vertices, (68, 3)),
        "landmark_weights": (head.landmark_weights, (68, 3)),
        "landmark_axes": (head.landmark_axes, (68, 3)),
        "uv": (head.uv, (None, 2)),
        "uv_triangles": (head.uv_triangles, (triangles, 3)),
        "mirror_vertices": (head.mirror_vertices, (vertices,)),
        "identity_mirror": (head.identity_mirror, (identities,)),
        "expression_mirror": (head.expression_mirror, (expressions,)),
        **{f"regions[{name}]": (mask, (vertices,)) for name, mask in head.regions.items()},
    }
    for name, (array, shape) in shapes.items():
        if array is None:
            continue
        wanted = tuple(len(array) if side is None and array.ndim else side for side in shape)
        if array.shape != wanted:
            _fail(head, f"{name} is {array.shape}, expected {wanted}")
    if not vertices:
        _fail(head, "mean has no vertices")
    if (head.uv is None) != (head.uv_triangles is None):
        _fail(head, "only one of uv and uv_triangles is present")


def _check_indices(head: "HeadModel") -> None:
    vertices = len(head.mean)
    limits = {
        "triangles": vertices,
        "landmark_vertices": vertices,
        "landmark_axes": vertices,
        "mirror_vertices": vertices,
        "uv_triangles": 0 if head.uv is None else len(head.uv),
        "expression_mirror": len(head.expression_names),
    }
    for name, limit in limits.items():
        index = getattr(head, name)
        if index is None:
            continue
        if index.dtype.kind not in "iu":
            _fail(head, f"{name} has the type {index.dtype}, expected int32")
        if index.size and not 0 <= index.min() <= index.max() < limit:
            what = "expressions" if name == "expression_mirror" else "UV points" if "uv" in name else "vertices"
            _fail(head, f"{name} points outside the {limit} {what}")
    mirror = head.expression_mirror
    if mirror is not None and not np.array_equal(mirror[mirror], np.arange(len(mirror))):
        _fail(head, "expression_mirror does not lead back when it is applied twice")


def _largest(values: Floats) -> float:
    return float(abs(values).max()) if values.size else 0.0


def _fail(head: "HeadModel", what: str) -> NoReturn:
    raise ModelError(f"head model '{head.name}': {what}: build or download it again")
