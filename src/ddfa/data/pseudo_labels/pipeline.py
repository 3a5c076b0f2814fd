"""`ddfa data label`: photos and one or more teacher bundles become labels for a head model."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from ddfa.align import FaceAligner
from ddfa.arrays import Bools, Float32, Floats, Int32, UInt8
from ddfa.data.pseudo_labels.fit import Fit, FitOptions, fit
from ddfa.data.pseudo_labels.human_landmarks import fit_annotated, read_landmarks
from ddfa.data.pseudo_labels.mesh_constraints import mesh_constraints
from ddfa.data.pseudo_labels.mesh_points import LIDS_AND_LIPS
from ddfa.data.pseudo_labels.mesh_teacher import MeshTeacher, MeshView
from ddfa.data.pseudo_labels.teacher import DEFAULT_VIEWS, Teacher, View
from ddfa.data.registration.correspondence import Correspondence, register
from ddfa.data.sets.dataset import LABEL_FILE, PHOTO_LINK
from ddfa.data.sets.labels import Labels
from ddfa.data.sets.manifest import PARTS, begin_parts, write_manifest
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError, DDFAError
from ddfa.files import write_atomically
from ddfa.geometry.roi import central_square, roi_from_landmarks
from ddfa.head.linear import LinearPoints
from ddfa.head.model import HeadModel
from ddfa.regress.bundle import Bundle
from ddfa.regress.session import Regressor

# The 68 landmarks are what benchmarks and most users look at.
_LANDMARK_SHARE = 0.4
REJECTED_FILE = "rejected.txt"
VERTICES = 1200


@dataclass(frozen=True)
class LabelConfig:
    """How photos are labelled.

    Attributes:
        photos: folder or uncompressed tar of photos.
        teacher: bundles of the networks to learn from, such as imported 3DDFA_V2 ones; all count alike.
        output: the data set folder; a run that was stopped goes on where it was.
        mesh_teacher: a `face_landmarker.task`, second teacher for eyelids, gaze and lips (see docs/training.md).
        landmarks: human 68-point annotations of the photos, a folder or tar of `.pts`, or an `.npz`; photos without are
            labelled by the teachers alone.
        centred: set for face crops: the RoI is the centred square of this share of the picture's width. By default
            faces are detected, and the largest one is labelled.
        vertices: vertices of each teacher's head to fit, besides its 68 landmarks.
        max_error: a photo is rejected where views, teachers and fit differ by more, as a share of the face's size.
        chunk: photos fitted together.
        workers: processes; 0 means one per core.
        limit: label only the first so many photos; 0 means all.
    """

    photos: Path
    teacher: tuple[Path, ...]
    output: Path
    mesh_teacher: Path | None = None
    landmarks: Path | None = None
    centred: float | None = None
    vertices: int = VERTICES
    max_error: float = 0.1
    chunk: int = 256
    workers: int = 0
    limit: int = 0


@dataclass(frozen=True, eq=False)
class TeacherMap:
    """Which points of our head a teacher's points are.

    Attributes:
        teacher: K points of the teacher's head: some vertices, then its 68 landmarks.  Where maps are joined, those of
            the first teacher.
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
    # Drawn from all vertices: one that is valid by a hair changes its own place only, not the whole choice.
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
    """The map for teachers of several heads whose points stand one after the other, equally trusted."""
    halves = [_halves(one) for one in maps]
    order = [half for side in zip(*halves, strict=True) for half in side]  # all plain points, then all mirrored ones
    own = LinearPoints(
        np.concatenate([points.mean for points, *_ in order]),
        np.concatenate([points.bases for points, *_ in order], axis=1),
        maps[0].own.identities,
    )
    weights = np.concatenate([weights for _, weights, _ in order]) / len(maps)
    return TeacherMap(maps[0].teacher, own, weights.astype(np.float32), np.concatenate([fine for *_, fine in order]))


def teacher_maps(bundles: Sequence[Path], head: HeadModel, vertices: int = VERTICES) -> dict[str, TeacherMap]:
    """The map of each head that teachers have, by its name.

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
        teacher = HeadModel.load(Bundle.load(path).head_path)
        heads.setdefault(teacher.name, teacher)
    return {name: teacher_map(head, teacher, vertices) for name, teacher in heads.items()}


def open_teachers(
    bundles: Sequence[Path], maps: Mapping[str, TeacherMap], views: tuple[View, ...] = DEFAULT_VIEWS
) -> dict[str, list[Teacher]]:
    """The networks of bundles, by the heads of `teacher_maps`; each runs on one thread.

    Raises:
        ModelError: a bundle is damaged.
    """
    teachers: dict[str, list[Teacher]] = {name: [] for name in maps}
    for path in bundles:
        regressor = Regressor(Bundle.load(path), threads=1)
        name = HeadModel.load(regressor.bundle.head_path).name
        teachers[name].append(Teacher(regressor, maps[name].teacher, views))
    return teachers


def _halves(mapping: TeacherMap) -> list[tuple[LinearPoints, Float32, Bools]]:
    """The plain and the mirrored points of our head with their weights and whether they lie on lids and lips."""
    own, middle = mapping.own, len(mapping.weights) // 2
    return [
        (LinearPoints(own.mean[k], own.bases[:, k], own.identities), mapping.weights[k], mapping.lids_and_lips[k])
        for k in (slice(middle), slice(middle, None))
    ]


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

    A photo that cannot be read, shows no face, or is seen too differently by the teachers is left out and listed in
    `rejected.txt` with the reason, after a tab.

    Args:
        config: what and how.

    Returns:
        The labels, in the order of the photos' names.

    Raises:
        DataError: there are no photos, or not one of them could be labelled.
        ModelError: a teacher cannot be used.
        OutputError: the folder cannot be written.
    """
    if not config.teacher:
        raise DataError("no teacher: name one or more bundles after --teacher")
    photos = Photos(config.photos)
    names = photos.names[: config.limit or None]
    kept = ("photos", "teacher", "mesh_teacher", "landmarks", "centred", "vertices", "max_error", "chunk", "limit")
    settings = {name: getattr(config, name) for name in kept} | {"teacher": " ".join(map(str, config.teacher))}
    parts = begin_parts(config.output, settings)
    chunks = [names[start : start + config.chunk] for start in range(0, len(names), config.chunk)]
    todo = [k for k in range(len(chunks)) if not _part(parts, k).is_file()]
    if todo:
        head = HeadModel.load()
        _mesh_teacher(config, head)  # bad files stop us here, with a clear error
        _annotations(config, photos)
        maps = teacher_maps(config.teacher, head, config.vertices)
        workers = config.workers or os.cpu_count() or 1
        with ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(config, head, maps)) as pool:
            done = pool.map(_label_chunk, todo, [chunks[k] for k in todo])
            for _ in track(done, "label", total=len(todo)):
                pass
    labels = _join([Labels.load(_part(parts, k)) for k in range(len(chunks))])
    rejected = [line for k in range(len(chunks)) for line in _rejects(parts, k).read_text("utf-8").splitlines()]
    write_atomically(config.output / REJECTED_FILE, "".join(f"{line}\n" for line in rejected).encode())
    if not len(labels):
        raise DataError(
            f"none of the {len(names)} photos of {config.photos} could be labelled, the first one is "
            f"{rejected[0].replace(chr(9), ': ')} (see {config.output / REJECTED_FILE} and --centred)"
        )
    write_atomically(config.output / PHOTO_LINK, f"{config.photos.resolve()}\n".encode())
    labels.save(config.output / LABEL_FILE)
    write_manifest(config.output, "ddfa data label", labels, settings, counts={"rejected": len(rejected)})
    return labels


def fit_observations(
    mapping: TeacherMap,
    head: HeadModel,
    seen: Float32,
    options: FitOptions | None = None,
    mesh: MeshView | None = None,
    human: Floats | None = None,
) -> Fit:
    """Fit our head to what teachers saw.

    Args:
        mapping: from the teacher's points to ours.
        head: our head.
        seen: (n, 2, K, 3) as `Teacher.observe` gives it.
        options: trust in the points against the prior.
        mesh: of the same photos.  Where it can be trusted it decides on eyelids, gaze and lips; the other photos are
            fitted without it.
        human: (n, 68, 2) annotations of the same photos, image px, NaN for photos without.
    """
    centred = seen.copy()
    centred[..., 2] -= centred[..., 2].mean(axis=2, keepdims=True)  # views have no common depth origin
    targets = centred.reshape(len(seen), -1, 3)
    options = options or FitOptions()
    found = fit(mapping.own, targets, mapping.weights, head.identity_std, options)
    trusted, hints = np.zeros(len(seen), bool), None
    weights = np.where(mapping.lids_and_lips, 0, mapping.weights)
    if mesh is not None:
        hints, trusted = mesh_constraints(head, found, mesh, options.expression_std)
    if hints is not None and trusted.any():
        second = fit(mapping.own, targets[trusted], weights, head.identity_std, options, hints)
        found = found.replaced(trusted, second)
    if human is None:
        return found
    annotated = np.isfinite(human).all(axis=(1, 2))
    for group, more in ((annotated & trusted, hints), (annotated & ~trusted, None)):
        if group.any():
            if more is not None:
                more = more.select(group[trusted])
            third = fit_annotated(
                mapping.own, targets[group], weights, head, found.select(group), human[group], options, more
            )
            found = found.replaced(group, third)
    return found


def _identity(head: HeadModel) -> Correspondence:
    from ddfa.data.registration.surface import Similarity

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


def _rejects(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.rejected.txt"


def _join(parts: list[Labels]) -> Labels:
    names = tuple(name for part in parts for name in part.names)
    arrays = [np.concatenate([getattr(p, f) for p in parts]) for f in ("pose", "identity", "expression", "fit_error")]
    return Labels(names, arrays[0], arrays[1], arrays[2], arrays[3], parts[0].head)


@dataclass(eq=False)
class _Worker:
    config: LabelConfig
    photos: Photos
    head: HeadModel
    mapping: TeacherMap
    teachers: dict[str, list[Teacher]]
    mesh_teacher: MeshTeacher | None
    human: dict[str, Float32]

    @cached_property
    def aligner(self) -> FaceAligner:
        """The first teacher as an aligner, for photos that are not face crops."""
        first = next(iter(self.teachers.values()))[0]
        return FaceAligner(first.regressor.bundle, threads=1)


_WORKER: list[_Worker] = []


def _start_worker(config: LabelConfig, head: HeadModel, maps: dict[str, TeacherMap]) -> None:
    cv2.setNumThreads(0)
    teachers = open_teachers(config.teacher, maps)
    mapping, mesh_teacher = joined(list(maps.values())), _mesh_teacher(config, head)
    photos = Photos(config.photos)
    human = _annotations(config, photos)
    _WORKER[:] = [_Worker(config, photos, head, mapping, teachers, mesh_teacher, human)]


def _annotations(config: LabelConfig, photos: Photos) -> dict[str, Float32]:
    if config.landmarks is None:
        return {}
    return dict(zip(photos.names, read_landmarks(config.landmarks, photos.names), strict=True))


def _mesh_teacher(config: LabelConfig, head: HeadModel) -> MeshTeacher | None:
    if config.mesh_teacher is None or head.expression_mirror is None:
        return None
    return MeshTeacher(config.mesh_teacher, head.expression_mirror)


def observe(teachers: Sequence[Sequence[Teacher]], photos: list[UInt8], rois: Floats) -> tuple[Float32, Float32]:
    """What several teachers see; those of one head are averaged, those of several heads stand one after the other.

    Args:
        teachers: by their heads, in the order of the maps that are `joined`.
        photos: n pictures (H, W, 3) uint8 RGB.
        rois: (n, 4) squares in image px.

    Returns:
        (n, 2, K, 3) float32 as `Teacher.observe` gives it, depth from the mean of the 68 landmarks, and (n,) float32,
        how far views and teachers disagree as a share of the face's size.
    """
    groups, spreads, landmarks = list[Float32](), list[Float32](), list[Float32]()
    for group in teachers:
        views, own = zip(*(teacher.observe(photos, rois) for teacher in group), strict=True)
        # All heads have the landmarks, so these give a common origin of depth.
        level = [view - [0, 0, 1] * view[:, :, -68:].mean(axis=2, keepdims=True) for view in views]
        groups.append(np.mean(level, axis=0))
        spreads += own
        landmarks += [view[:, :, -68:, :2] for view in views]
    each = np.stack(landmarks)
    middle = each.mean(axis=0)
    size = np.sqrt(np.prod(np.ptp(middle[:, 0], axis=1), axis=-1))
    apart = np.linalg.norm(each - middle, axis=-1).mean(axis=(0, 2, 3)) / size
    seen = np.concatenate(groups, axis=2).astype(np.float32)
    return seen, np.hypot(np.max(spreads, axis=0), apart).astype(np.float32)


def _label_chunk(number: int, names: tuple[str, ...]) -> None:
    """Label some photos and write them as one part, beside the list of those rejected."""
    (worker,) = _WORKER
    located = {name: _with_roi(worker, name) for name in names}
    rejected = {name: found for name, found in located.items() if isinstance(found, str)}
    readable = [(name, *found) for name, found in located.items() if not isinstance(found, str)]
    seen = np.zeros((0, 2, len(worker.mapping.weights) // 2, 3), np.float32)
    spread, meshes = np.zeros(0, np.float32), []
    for start in range(0, len(readable), 32):
        batch = readable[start : start + 32]
        photos = [photo for _, photo, _ in batch]
        points, own = observe(list(worker.teachers.values()), photos, np.stack([roi for *_, roi in batch]))
        seen, spread = np.concatenate([seen, points]), np.concatenate([spread, own])
        if worker.mesh_teacher is not None:
            meshes.append(worker.mesh_teacher.observe(photos, points[:, 0, -68:, :2]))
    kept = tuple(name for name, *_ in readable)
    mesh = MeshView.joined(meshes) if meshes else None
    human = np.stack([worker.human[name] for name in kept]) if worker.human and kept else None
    found = fit_observations(worker.mapping, worker.head, seen, mesh=mesh, human=human)
    error = np.hypot(spread, fit_error(found, worker.mapping))
    labels = Labels(kept, found.pose, found.identity, found.expression, error, worker.head.name)
    good = error <= worker.config.max_error
    reason = "views, teachers and fit differ by {:.0f} % of the face's size"
    rejected |= {
        name: reason.format(100 * error)
        for name, error in zip(kept, error, strict=True)
        if error > worker.config.max_error
    }
    parts = worker.config.output / PARTS
    lines = [f"{name}\t{rejected[name]}\n" for name in names if name in rejected]
    write_atomically(_rejects(parts, number), "".join(lines).encode())
    labels.select(good).save(_part(parts, number))  # last: it says that the part is whole


def fit_error(found: Fit, mapping: TeacherMap) -> Float32:
    """Weighted mean distance (n,) that a fit leaves, as a share of the mean head's size."""
    distance = np.linalg.norm(found.residual, axis=-1) @ (mapping.weights / mapping.weights.sum())
    size = np.sqrt(np.prod(np.ptp(mapping.own.mean[:, :2], axis=0)))
    return np.asarray(distance / size, np.float32)


def _with_roi(worker: _Worker, name: str) -> tuple[UInt8, Floats] | str:
    """A photo with the RoI of its largest face, or why there is none."""
    try:
        photo = worker.photos.read(name)
        roi = _roi(worker, photo)
    except DDFAError as error:
        return str(error)
    return "no face" if roi is None else (photo, roi)


def _roi(worker: _Worker, photo: UInt8) -> Float32 | None:
    if worker.config.centred is not None:
        height, width = photo.shape[:2]
        return central_square(width, height, worker.config.centred)
    faces = worker.aligner(photo, refine=True)
    if not len(faces):
        return None
    largest = int(np.argmax(np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1)))
    return np.asarray(roi_from_landmarks(faces.landmarks68[largest : largest + 1])[0])
