"""Named sets of landmarks, as points of a head.

`ibug68`, `ibug51` (without the jaw) and `five` (centres of the eyes, tip of the nose, corners of the mouth) follow from
the 68 landmarks of any head. `wflw98` (Wu et al., "Look at Boundary", CVPR 2018) and the dense `mesh478` are points on
the open head: `assets/landmark_sets.json`, built by `tools/build_landmark_sets.py`, contains for each point the corners
of a triangle and its barycentric weights.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from ddfa.arrays import Float32, Int32
from ddfa.errors import ModelError
from ddfa.head.linear import LinearPoints
from ddfa.head.model import HeadModel

FILE: Final = Path(__file__).parent / "assets" / "landmark_sets.json"
_RIGHT_EYE, _LEFT_EYE = range(36, 42), range(42, 48)
_OF_IBUG: Final[dict[str, tuple[tuple[int, ...], ...]]] = {
    "ibug68": tuple((k,) for k in range(68)),
    "ibug51": tuple((k,) for k in range(17, 68)),
    "five": (tuple(_RIGHT_EYE), tuple(_LEFT_EYE), (30,), (48,), (54,)),
}
"""Set -> for each of its points the landmarks of iBUG-68 whose mean it is; right and left are the subject's."""
LANDMARK_SETS: Final = (*_OF_IBUG, "wflw98", "mesh478")


def landmark_set(head: HeadModel, name: str) -> LinearPoints:
    """The points of a set as a linear function of the coefficients; computed once per head.

    Args:
        head: the head model.
        name: one of `LANDMARK_SETS`.

    Raises:
        ModelError: there is no such set, or not on this head.
    """
    if name not in LANDMARK_SETS:
        raise ModelError(f"unknown set of landmarks '{name}': choose one of {', '.join(LANDMARK_SETS)}")
    known: dict[str, LinearPoints] = head.__dict__.setdefault("landmark_sets", {})
    if name not in known:
        known[name] = _of_ibug(head, _OF_IBUG[name]) if name in _OF_IBUG else _on_mesh(head, name)
    return known[name]


def _of_ibug(head: HeadModel, groups: tuple[tuple[int, ...], ...]) -> LinearPoints:
    points = head.landmark_points
    mean = np.stack([points.mean[list(group)].mean(axis=0) for group in groups])
    bases = np.stack([points.bases[:, list(group)].mean(axis=1) for group in groups], axis=1)
    return LinearPoints(mean, np.ascontiguousarray(bases), points.identities)


def _on_mesh(head: HeadModel, name: str) -> LinearPoints:
    corners, weights = mesh_set(name)
    if head.name != "open" or corners.max() >= head.vertices:
        raise ModelError(f"landmarks '{name}' are defined on the open head, not on '{head.name}': use its weights")
    mean = np.einsum("kcd,kc->kd", head.mean[corners], weights)
    bases = np.einsum("mkcd,kc->mkd", head.points.bases[:, corners], weights)
    return LinearPoints(mean.astype(np.float32), np.ascontiguousarray(bases, np.float32), head.points.identities)


def mesh_set(name: str) -> tuple[Int32, Float32]:
    """Corners (K, 3) and barycentric weights (K, 3) of a set on the mesh of the open head.

    Args:
        name: wflw98 or mesh478.
    """
    found = _file()[name]
    return np.array(found["corners"], np.int32), np.array(found["weights"], np.float32)


@cache
def _file() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return content
