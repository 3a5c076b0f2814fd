"""Point correspondences between a teacher's head model and ours."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ddfa.arrays import Bools, Float32, Floats, Int32
from ddfa.data.pseudo_labels.fit import fit
from ddfa.data.pseudo_labels.mesh_points import LIDS_AND_LIPS
from ddfa.data.registration.correspondence import Correspondence, register
from ddfa.errors import DataError
from ddfa.geometry.camera import FLIP_Y
from ddfa.geometry.similarity import Similarity
from ddfa.head.linear import LinearPoints
from ddfa.head.model import HeadModel
from ddfa.regress.registry import find_bundle

VERTICES: Final = 1200
# Of the weight of all points: the 68 landmarks are few, and are what benchmarks and most users look at.
_LANDMARK_SHARE = 0.4


@dataclass(frozen=True, eq=False)
class TeacherMap:
    """Points of a teacher's head and the corresponding points of ours.

    Attributes:
        teacher: K points of the teacher's head: some vertices, then its 68 landmarks. In a joined map, those of the
            first teacher.
        own: the corresponding 2K points of our head: K, then their mirror images. They are offset from our skin by the
            part of the teacher's neutral face that our identity modes cannot represent, so that a face that is neutral
            to the teacher is fitted without expression.
        weights: (2K,) of the fit.
        lids_and_lips: (2K,) bool, points on the eyelids and on the inner edges of the lips.
    """

    teacher: LinearPoints
    own: LinearPoints
    weights: Float32
    lids_and_lips: Bools


def teacher_map(head: HeadModel, teacher: HeadModel, vertices: int, seed: int = 0) -> TeacherMap:
    """Register the teacher's head to ours and choose the points to fit.

    Args:
        head: our head, with `mirror_vertices`.
        teacher: the teacher's head, with triangles; the same head needs no registration.
        vertices: number of its vertices to use.
        seed: of their random choice.

    Raises:
        DataError: our head has no mirror map.
        ModelError: the heads cannot be registered.
    """
    if head.mirror_vertices is None:
        raise DataError(f"head '{head.name}' has no mirror map: label for the open head")
    found = _identity(head) if teacher.name == head.name else register(head, teacher)
    # Drawn from all vertices: one that only just becomes valid or invalid does not change the rest of the choice.
    drawn = np.random.default_rng(seed).permutation(len(found.valid))
    chosen = np.sort(drawn[found.valid[drawn]][:vertices])
    corners = np.concatenate([found.corners[chosen], head.landmark_vertices])
    barycentric = np.concatenate([found.weights[chosen], head.landmark_weights])
    own = _on_surface(head, np.concatenate([corners, head.mirror_vertices[corners]]), np.tile(barycentric, (2, 1)))
    seen = _on_surface(
        teacher,
        np.concatenate([np.repeat(chosen[:, None], 3, axis=1).astype(np.int32), teacher.landmark_vertices]),
        np.concatenate([np.tile(np.array([1, 0, 0], np.float32), (len(chosen), 1)), teacher.landmark_weights]),
    )
    own = _moved_off(own, neutral_offset(own, seen, head.identity_std))
    each = np.r_[np.full(len(chosen), (1 - _LANDMARK_SHARE) / len(chosen)), np.full(68, _LANDMARK_SHARE / 68)]
    lids = np.any(
        [head.regions.get(f"eyelid_{side}", np.zeros(head.vertices, bool)) for side in ("left", "right")], axis=0
    )
    fine = np.r_[lids[corners[: len(chosen)]].any(axis=1), np.isin(np.arange(68), LIDS_AND_LIPS)]
    return TeacherMap(seen, own, np.tile(each, 2).astype(np.float32), np.tile(fine, 2))


def joined(maps: Sequence[TeacherMap]) -> TeacherMap:
    """Concatenate the maps of teachers with different heads, with equal weights."""
    halves = [_halves(one) for one in maps]
    order = [half for side in zip(*halves, strict=True) for half in side]  # all original points, then all mirrored ones
    own = LinearPoints(
        np.concatenate([points.mean for points, *_ in order]),
        np.concatenate([points.bases for points, *_ in order], axis=1),
        maps[0].own.identities,
    )
    weights = np.concatenate([weights for _, weights, _ in order]) / len(maps)
    return TeacherMap(maps[0].teacher, own, weights.astype(np.float32), np.concatenate([fine for *_, fine in order]))


def teacher_maps(bundles: Sequence[Path], head: HeadModel, vertices: int = VERTICES) -> dict[str, TeacherMap]:
    """The map of each of the teachers' heads, by its name.

    Args:
        bundles: of the teachers.
        head: our head.
        vertices: see `teacher_map`.

    Raises:
        DataError: our head has no mirror map.
        ModelError: a bundle is damaged, or the heads cannot be registered.
    """
    heads: dict[str, HeadModel] = {}
    for path in bundles:
        teacher = HeadModel.load(find_bundle(path).head_path)
        heads.setdefault(teacher.name, teacher)
    return {name: teacher_map(head, teacher, vertices) for name, teacher in heads.items()}


def neutral_offset(own: LinearPoints, teacher: LinearPoints, identity_std: Floats) -> Float32:
    """The part of the teacher's neutral face that our identity modes cannot represent, head units.

    Args:
        own: 2K points of our head: K, then their mirror images.
        teacher: the K points on the teacher's head.
        identity_std: (I,) prior of our identity.

    Returns:
        (2K, 3) float32, symmetric.
    """
    identity = LinearPoints(own.mean, own.bases[: own.identities], own.identities)
    flip, mirror = FLIP_Y, np.array([-1, 1, 1])
    neutral = np.concatenate([teacher.mean, teacher.mean * mirror]) * flip
    weights = np.ones(len(neutral))
    plain, mirrored = np.split(fit(identity, neutral[None], weights, identity_std).residual[0], 2)
    half = (plain + mirrored * mirror) / 2
    return np.concatenate([half, half * mirror]).astype(np.float32)


def _halves(mapping: TeacherMap) -> list[tuple[LinearPoints, Float32, Bools]]:
    """The original and the mirrored points of our head, with their weights and whether they are on lids and lips."""
    own, middle = mapping.own, len(mapping.weights) // 2
    return [
        (LinearPoints(own.mean[k], own.bases[:, k], own.identities), mapping.weights[k], mapping.lids_and_lips[k])
        for k in (slice(middle), slice(middle, None))
    ]


def _identity(head: HeadModel) -> Correspondence:

    index = np.arange(head.vertices, dtype=np.int32)
    weights = np.tile(np.array([1, 0, 0], np.float32), (head.vertices, 1))
    valid = head.regions.get("face", np.ones(head.vertices, bool))
    same = Similarity(np.ones(()), np.eye(3), np.zeros(3))
    return Correspondence(np.stack([index] * 3, axis=1), weights, valid, np.zeros(head.vertices, np.float32), same)


def _on_surface(head: HeadModel, corners: Int32, weights: Float32) -> LinearPoints:
    """Barycentric points (K, 3 corners) on a head as a linear function of its coefficients."""
    mean = np.einsum("kcd,kc->kd", head.mean[corners], weights)
    bases = np.stack([np.einsum("kcd,kc->kd", mode[corners], weights) for mode in head.points.bases])
    return LinearPoints(mean.astype(np.float32), bases.astype(np.float32), head.points.identities)


def _moved_off(points: LinearPoints, offset: Float32) -> LinearPoints:
    return LinearPoints(points.mean + offset, points.bases, points.identities)
