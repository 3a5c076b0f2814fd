"""The settings of `ddfa data label`."""

from dataclasses import dataclass
from pathlib import Path

from ddfa.data.pseudo_labels.teacher_map import VERTICES


@dataclass(frozen=True)
class LabelConfig:
    """How photos are labelled.

    Attributes:
        photos: folder or uncompressed tar of photos.
        teacher: bundles of the networks to learn from, such as imported 3DDFA_V2 ones; all have the same weight.
        output: the data set folder; an interrupted run is resumed.
        mesh_teacher: a `face_landmarker.task`, second teacher for eyelids, gaze and lips (see docs/training.md).
        landmarks: human 68-point annotations of the photos, a folder or tar of `.pts`, or an `.npz`; photos without are
            labelled by the teachers alone.
        centred: set for face crops: the RoI is the centred square of this share of the image width. By default
            faces are detected, and the largest one is labelled.
        vertices: vertices of each teacher's head to fit, besides its 68 landmarks.
        max_error: a photo is rejected where views, teachers and fit differ by more, as a share of the face size.
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
