"""The settings of `ddfa data label`."""

from dataclasses import dataclass
from pathlib import Path

from ddfa.data.pseudo_labels.points_fit import WEIGHT
from ddfa.data.pseudo_labels.second_round import KEEP_BEYOND
from ddfa.data.pseudo_labels.teacher_map import VERTICES


@dataclass(frozen=True)
class LabelConfig:
    """How photos are labelled.

    Attributes:
        photos: folder or uncompressed tar of photos.
        teacher: bundles of the networks to learn from, folders or names of installed ones, such as imported 3DDFA_V2
            ones; all have the same weight.
        output: the data set folder; an interrupted run is resumed.
        mesh_teacher: a `face_landmarker.task`, second teacher for eyelids, gaze and lips (see docs/training.md).
        points_teacher: ONNX networks that predict the 68 points of iBUG or the 98 of WFLW; the 51 inner landmarks of a
            label move towards their mean.
        points_weight: of their points in the mixture with the label's, 0 to 1.
        previous: an earlier data set folder of the same photos; its labels are kept where the new ones differ by more
            than `keep_beyond`.
        keep_beyond: mean distance of the landmarks as a share of the face size.
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
    points_teacher: tuple[Path, ...] = ()
    points_weight: float = WEIGHT
    previous: Path | None = None
    keep_beyond: float = KEEP_BEYOND
    landmarks: Path | None = None
    centred: float | None = None
    vertices: int = VERTICES
    max_error: float = 0.1
    chunk: int = 256
    workers: int = 0
    limit: int = 0
