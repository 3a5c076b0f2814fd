"""`ddfa data label`: pseudo-labels for photos from one or more teacher bundles, computed in resumable chunks."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import cv2
import numpy as np

from ddfa.arrays import Float32
from ddfa.data.pseudo_labels.config import LabelConfig
from ddfa.data.pseudo_labels.human_landmarks import read_landmarks
from ddfa.data.pseudo_labels.labeller import PhotoLabeller
from ddfa.data.pseudo_labels.mesh_scores import seen_units
from ddfa.data.pseudo_labels.mesh_teacher import MeshTeacher
from ddfa.data.pseudo_labels.observation import open_teachers
from ddfa.data.pseudo_labels.points_teacher import PointsTeacher
from ddfa.data.pseudo_labels.second_round import keep_previous
from ddfa.data.pseudo_labels.teacher_map import TeacherMap, joined, teacher_maps
from ddfa.data.sets.dataset import LABEL_FILE, PHOTO_LINK
from ddfa.data.sets.labels import Labels
from ddfa.data.sets.manifest import begin_parts, write_manifest
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError
from ddfa.files import write_atomically
from ddfa.head.model import HeadModel
from ddfa.jobs import missing, run_missing

REJECTED_FILE: Final = "rejected.txt"
_SETTINGS: Final = (
    "photos", "mesh_teacher", "landmarks", "centred", "vertices", "max_error", "chunk", "limit",
)  # fmt: skip

_Chunk: TypeAlias = tuple[Path, tuple[str, ...]]  # its part file and the names of its photos


def label(config: LabelConfig) -> Labels:
    """Label photos and write the data set folder.

    A photo that cannot be read, shows no face, or on which the teachers disagree too much is left out and listed in
    `rejected.txt` with the reason, after a tab.

    Args:
        config: what and how.

    Returns:
        The labels, in the order of the photos' names.

    Raises:
        DataError: there are no photos, none of them could be labelled, or the previous labels cannot be used.
        ModelError: a teacher cannot be used.
        OutputError: the folder cannot be written.
    """
    if not 0 <= config.points_weight <= 1:
        raise DataError(f"--points-weight {config.points_weight:g} is not between 0 and 1")
    if not config.teacher:
        raise DataError("no teacher: name one or more bundles after --teacher")
    previous = None if config.previous is None else Labels.load(config.previous / LABEL_FILE)
    photos = Photos(config.photos)
    names = photos.names[: config.limit or None]
    settings = _settings(config)
    folder = begin_parts(config.output, settings)
    groups = [names[start : start + config.chunk] for start in range(0, len(names), config.chunk)]
    parts = [folder / f"{number:06d}.npz" for number in range(len(groups))]
    if missing(parts):
        _label_missing(config, photos, list(zip(parts, groups, strict=True)))
    labels = _joined([Labels.load(part) for part in parts])
    rejected = [line for part in parts for line in _rejects(part).read_text("utf-8").splitlines()]
    write_atomically(config.output / REJECTED_FILE, "".join(f"{line}\n" for line in rejected).encode())
    if not len(labels):
        raise DataError(
            f"none of the {len(names)} photos of {config.photos} could be labelled, the first one is "
            f"{rejected[0].replace(chr(9), ': ')} (see {config.output / REJECTED_FILE} and --centred)"
        )
    counts, head = {"rejected": len(rejected)}, HeadModel.load()
    if previous is not None:
        labels, counts["kept"] = keep_previous(labels, previous, head, config.keep_beyond)
    if head.has_arkit:
        seen = np.broadcast_to(seen_units(head.expression_names), labels.expression.shape)
        labels = replace(labels, visibility=seen)
    write_atomically(config.output / PHOTO_LINK, f"{config.photos.resolve()}\n".encode())
    labels.save(config.output / LABEL_FILE)
    write_manifest(config.output, "ddfa data label", labels, settings, counts=counts)
    return labels


def _settings(config: LabelConfig) -> dict[str, object]:
    """All that the labels depend on; of the options of points teachers and second round, those in use."""
    settings: dict[str, object] = {name: getattr(config, name) for name in _SETTINGS}
    settings["teacher"] = " ".join(map(str, config.teacher))
    if config.points_teacher:
        settings["points_teacher"] = " ".join(map(str, config.points_teacher))
        settings["points_weight"] = config.points_weight
    if config.previous is not None:
        settings |= {"previous": config.previous, "keep_beyond": config.keep_beyond}
    return settings


def label_part(labeller: PhotoLabeller, chunk: _Chunk) -> None:
    """Label the photos of a chunk and write its part file and the list of its rejected photos.

    Raises:
        OutputError: they cannot be written.
    """
    part, names = chunk
    labels, rejected = labeller.label(names)
    write_atomically(_rejects(part), "".join(f"{name}\t{why}\n" for name, why in rejected.items()).encode())
    labels.save(part)  # last: the part counts as done once this file exists


def _label_missing(config: LabelConfig, photos: Photos, chunks: list[_Chunk]) -> None:
    head = HeadModel.load()
    # Opened here as well, so that bad files are an error before any process starts.
    _open_mesh_teacher(config, head)
    _open_points_teachers(config)
    _read_human(config, photos)
    maps = teacher_maps(config.teacher, head, config.vertices)
    opened = partial(_open_labeller, config, head, maps)
    # Spawned: a process forked while ONNX Runtime has threads, as here, may hang or crash.
    run_missing(opened, [part for part, _ in chunks], chunks, config.workers, "label", "spawn")


def _open_labeller(config: LabelConfig, head: HeadModel, maps: Mapping[str, TeacherMap]) -> Callable[[_Chunk], None]:
    cv2.setNumThreads(0)  # each worker is one of several processes
    photos = Photos(config.photos)
    labeller = PhotoLabeller(
        photos,
        head,
        joined(list(maps.values())),
        open_teachers(config.teacher, maps),
        config.max_error,
        config.centred,
        _open_mesh_teacher(config, head),
        _read_human(config, photos),
        _open_points_teachers(config),
        config.points_weight,
    )
    return partial(label_part, labeller)


def _read_human(config: LabelConfig, photos: Photos) -> dict[str, Float32]:
    if config.landmarks is None:
        return {}
    return dict(zip(photos.names, read_landmarks(config.landmarks, photos.names), strict=True))


def _open_mesh_teacher(config: LabelConfig, head: HeadModel) -> MeshTeacher | None:
    if config.mesh_teacher is None or head.expression_mirror is None:
        return None
    return MeshTeacher(config.mesh_teacher, head.expression_mirror)


def _open_points_teachers(config: LabelConfig) -> list[PointsTeacher]:
    return [PointsTeacher(path) for path in config.points_teacher]


def _rejects(part: Path) -> Path:
    """The list of rejected photos that belongs to a part file."""
    return part.with_suffix(".rejected.txt")


def _joined(parts: list[Labels]) -> Labels:
    names = tuple(name for part in parts for name in part.names)
    pose, identity, expression, error = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("pose", "identity", "expression", "fit_error")
    )
    return Labels(names, pose, identity, expression, error, parts[0].head)
