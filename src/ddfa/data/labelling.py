"""`ddfa data label`: photos and a teacher bundle become labels for a head model."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from ddfa.align import FaceAligner
from ddfa.arrays import Bools, Float32, Floats, Int32, UInt8
from ddfa.data.dataset import LABEL_FILE, PHOTO_LINK
from ddfa.data.fit import Fit, FitOptions, fit
from ddfa.data.labels import Labels
from ddfa.data.mesh_hints import mesh_hints
from ddfa.data.mesh_points import LIDS_AND_LIPS
from ddfa.data.mesh_teacher import MeshTeacher, MeshView
from ddfa.data.parts import PARTS, begin_parts
from ddfa.data.photos import Photos
from ddfa.data.registration import Correspondence, register
from ddfa.data.teacher import Teacher
from ddfa.errors import DataError, DDFAError
from ddfa.files import write_atomically
from ddfa.geometry.roi import roi_from_landmarks
from ddfa.head.linear import LinearPoints
from ddfa.head.model import HeadModel
from ddfa.regress.bundle import Bundle
from ddfa.regress.session import Regressor

# The 68 landmarks are what benchmarks and most users look at.
_LANDMARK_SHARE = 0.4


@dataclass(frozen=True)
class LabelConfig:
    """How photos are labelled.

    Attributes:
        photos: folder or uncompressed tar of photos.
        teacher: bundle of the network to learn from, such as an imported 3DDFA_V2.
        output: the data set folder; a run that was stopped goes on where it was.
        mesh_teacher: a `face_landmarker.task`, second teacher for eyelids, gaze and lips (see docs/training.md).
        centred: set for face crops: the RoI is the centred square of this share of the picture's width. By default
            faces are detected, and the largest one is labelled.
        vertices: vertices of the teacher to fit, besides its 68 landmarks.
        chunk: photos fitted together.
        workers: processes; 0 means one per core.
        limit: label only the first so many photos; 0 means all.
    """

    photos: Path
    teacher: Path
    output: Path
    mesh_teacher: Path | None = None
    centred: float | None = None
    vertices: int = 1200
    chunk: int = 256
    workers: int = 0
    limit: int = 0


@dataclass(frozen=True, eq=False)
class TeacherMap:
    """Which points of our head the teacher's points are.

    Attributes:
        teacher: K points of the teacher's head: some vertices, then its 68 landmarks.
        own: 2K points of our head: where those lie, then where their mirror images lie. They stand off our skin by
            what our identity modes leave of the teacher's neutral face, so that a face neutral to the teacher is
            fitted without expression.
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
        vertices: how many of its vertices to use.
        seed: of the choice.

    Raises:
        DataError: our head has no mirror map.
        ModelError: the heads cannot be registered.
    """
    if head.mirror_vertices is None:
        raise DataError(f"head '{head.name}' has no mirror map: label for the open head")
    found = _identity(head) if teacher.name == head.name else register(head, teacher)
    valid = np.flatnonzero(found.valid)
    chosen = np.sort(np.random.default_rng(seed).choice(valid, min(vertices, len(valid)), replace=False))
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


def neutral_offset(own: LinearPoints, teacher: LinearPoints, identity_std: Floats) -> Float32:
    """What the best identity leaves of the teacher's neutral face, head units.

    Args:
        own: 2K points of our head: K, then their mirror images.
        teacher: the K points on the teacher's head.
        identity_std: (I,) prior of our identity.

    Returns:
        (2K, 3) float32, symmetric.
    """
    identity = LinearPoints(own.mean, own.bases[: own.identities], own.identities)
    flip, mirror = np.array([1, -1, 1]), np.array([-1, 1, 1])
    neutral = np.concatenate([teacher.mean, teacher.mean * mirror]) * flip
    weights = np.ones(len(neutral))
    plain, mirrored = np.split(fit(identity, neutral[None], weights, identity_std).residual[0], 2)
    half = (plain + mirrored * mirror) / 2
    return np.concatenate([half, half * mirror]).astype(np.float32)


def label(config: LabelConfig) -> Labels:
    """Label photos; writes the data set folder.

    A photo that cannot be read, or shows no face, is left out and counted in `rejected.txt`.

    Args:
        config: what and how.

    Returns:
        The labels, in the order of the photos' names.

    Raises:
        DataError: there are no photos, or not one of them could be labelled.
        ModelError: the teacher cannot be used.
        OutputError: the folder cannot be written.
    """
    photos = Photos(config.photos)
    names = photos.names[: config.limit or None]
    kept = ("photos", "teacher", "mesh_teacher", "centred", "vertices", "chunk", "limit")
    parts = begin_parts(config.output, {name: getattr(config, name) for name in kept})
    chunks = [names[start : start + config.chunk] for start in range(0, len(names), config.chunk)]
    todo = [k for k in range(len(chunks)) if not _part(parts, k).is_file()]
    if todo:
        head = HeadModel.load()
        _mesh_teacher(config, head)  # a bad file stops us here, with a clear error
        mapping = teacher_map(head, HeadModel.load(Bundle.load(config.teacher).head_path), config.vertices)
        workers = config.workers or os.cpu_count() or 1
        with ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(config, head, mapping)) as pool:
            done = pool.map(_label_chunk, todo, [chunks[k] for k in todo])
            for _ in track(done, "label", total=len(todo)):
                pass
    labels = _join([Labels.load(_part(parts, k)) for k in range(len(chunks))])
    rejected = sorted(set(names) - set(labels.names))
    if not len(labels):
        raise DataError(f"no face found in any of the {len(names)} photos of {config.photos}: see --centred")
    write_atomically(config.output / "rejected.txt", "".join(f"{name}\n" for name in rejected).encode())
    write_atomically(config.output / PHOTO_LINK, f"{config.photos.resolve()}\n".encode())
    labels.save(config.output / LABEL_FILE)
    return labels


def fit_observations(
    mapping: TeacherMap,
    head: HeadModel,
    seen: Float32,
    options: FitOptions | None = None,
    mesh: MeshView | None = None,
) -> Fit:
    """Fit our head to what teachers saw.

    Args:
        mapping: from the teacher's points to ours.
        head: our head.
        seen: (n, 2, K, 3) as `Teacher.observe` gives it.
        options: trust in the points against the prior.
        mesh: of the same photos.  Where it can be trusted it decides on eyelids, gaze and lips; the other photos are
            fitted without it.
    """
    centred = seen.copy()
    centred[..., 2] -= centred[..., 2].mean(axis=2, keepdims=True)  # views have no common depth origin
    targets = centred.reshape(len(seen), -1, 3)
    options = options or FitOptions()
    first = fit(mapping.own, targets, mapping.weights, head.identity_std, options)
    if mesh is None:
        return first
    hints, trusted = mesh_hints(head, first, mesh, options.expression_std)
    if not trusted.any():
        return first
    weights = np.where(mapping.lids_and_lips, 0, mapping.weights)
    second = fit(mapping.own, targets[trusted], weights, head.identity_std, options, hints)
    return first.replaced(trusted, second)


def _identity(head: HeadModel) -> Correspondence:
    from ddfa.data.surface import Similarity

    index = np.arange(head.vertices, dtype=np.int32)
    weights = np.tile(np.array([1, 0, 0], np.float32), (head.vertices, 1))
    valid = head.regions.get("face", np.ones(head.vertices, bool))
    same = Similarity(1.0, np.eye(3), np.zeros(3))
    return Correspondence(np.stack([index] * 3, axis=1), weights, valid, np.zeros(head.vertices, np.float32), same)


def _on_surface(head: HeadModel, corners: Int32, weights: Float32) -> LinearPoints:
    """Barycentric points (K, 3 corners) of a head as a linear function of its coefficients."""
    mean = np.einsum("kcd,kc->kd", head.mean[corners], weights)
    bases = np.stack([np.einsum("kcd,kc->kd", mode[corners], weights) for mode in head.points.bases])
    return LinearPoints(mean.astype(np.float32), bases.astype(np.float32), head.points.identities)


def _moved_off(points: LinearPoints, offset: Float32) -> LinearPoints:
    return LinearPoints(points.mean + offset, points.bases, points.identities)


def _part(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.npz"


def _join(parts: list[Labels]) -> Labels:
    names = tuple(name for part in parts for name in part.names)
    arrays = [np.concatenate([getattr(p, f) for p in parts]) for f in ("pose", "identity", "expression", "quality")]
    return Labels(names, arrays[0], arrays[1], arrays[2], arrays[3], parts[0].head)


@dataclass(eq=False)
class _Worker:
    config: LabelConfig
    photos: Photos
    head: HeadModel
    mapping: TeacherMap
    teacher: Teacher
    mesh_teacher: MeshTeacher | None

    @cached_property
    def aligner(self) -> FaceAligner:
        """The teacher as an aligner, for photos that are not face crops."""
        return FaceAligner(self.teacher.regressor.bundle, threads=1)


_WORKER: list[_Worker] = []


def _start_worker(config: LabelConfig, head: HeadModel, mapping: TeacherMap) -> None:
    cv2.setNumThreads(0)
    regressor = Regressor(Bundle.load(config.teacher), threads=1)
    teacher, mesh_teacher = Teacher(regressor, mapping.teacher), _mesh_teacher(config, head)
    _WORKER[:] = [_Worker(config, Photos(config.photos), head, mapping, teacher, mesh_teacher)]


def _mesh_teacher(config: LabelConfig, head: HeadModel) -> MeshTeacher | None:
    if config.mesh_teacher is None or head.expression_mirror is None:
        return None
    return MeshTeacher(config.mesh_teacher, head.expression_mirror)


def _label_chunk(number: int, names: tuple[str, ...]) -> None:
    """Label some photos and write them as one part."""
    (worker,) = _WORKER
    readable = list(_with_roi(worker, names))
    seen, spread = np.zeros((0, 2, len(worker.mapping.teacher.mean), 3), np.float32), np.zeros(0, np.float32)
    meshes = []
    for start in range(0, len(readable), 32):
        batch = readable[start : start + 32]
        photos = [photo for _, photo, _ in batch]
        points, own = worker.teacher.observe(photos, np.stack([roi for *_, roi in batch]))
        seen, spread = np.concatenate([seen, points]), np.concatenate([spread, own])
        if worker.mesh_teacher is not None:
            meshes.append(worker.mesh_teacher.observe(photos, points[:, 0, -68:, :2]))
    found = fit_observations(worker.mapping, worker.head, seen, mesh=MeshView.joined(meshes) if meshes else None)
    quality = np.hypot(spread, fit_error(found, worker.mapping))
    kept = tuple(name for name, *_ in readable)
    part = Labels(kept, found.pose, found.identity, found.expression, quality, worker.head.name)
    part.save(_part(worker.config.output / PARTS, number))


def fit_error(found: Fit, mapping: TeacherMap) -> Float32:
    """Weighted mean distance (n,) that a fit leaves, as a share of the mean head's size."""
    distance = np.linalg.norm(found.residual, axis=-1) @ (mapping.weights / mapping.weights.sum())
    size = np.sqrt(np.prod(np.ptp(mapping.own.mean[:, :2], axis=0)))
    return np.asarray(distance / size, np.float32)


def _with_roi(worker: _Worker, names: tuple[str, ...]) -> Iterator[tuple[str, UInt8, Floats]]:
    """Photos that can be read and show a face, with the RoI of the largest."""
    for name in names:
        try:
            photo = worker.photos.read(name)
            roi = _roi(worker, photo)
        except DDFAError:
            continue
        if roi is not None:
            yield name, photo, roi


def _roi(worker: _Worker, photo: UInt8) -> Float32 | None:
    height, width = photo.shape[:2]
    if worker.config.centred is not None:
        half = worker.config.centred * width / 2
        x, y = (width - 1) / 2, (height - 1) / 2
        return np.array([x - half, y - half, x + half, y + half], np.float32)
    faces = worker.aligner(photo, refine=True)
    if not len(faces):
        return None
    largest = int(np.argmax(np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1)))
    return np.asarray(roi_from_landmarks(faces.landmarks68[largest : largest + 1])[0])
