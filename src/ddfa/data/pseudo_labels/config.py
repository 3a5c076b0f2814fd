"""The settings of `ddfa data label`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from ddfa.data.pseudo_labels.points_fit import WEIGHT
from ddfa.data.pseudo_labels.second_round import KEEP_BEYOND
from ddfa.data.pseudo_labels.teacher_map import VERTICES
from ddfa.options import Folder, Limit, MaybeMeshTeacher, Workers


@dataclass(frozen=True)
class LabelConfig:
    """How photos are labelled.

    Attributes:
        photos: folder or uncompressed tar of photos.
        teacher: bundles of the networks to learn from, folders or names of installed ones, such as imported 3DDFA_V2
            ones; all have the same weight.
        output: the data set folder; an interrupted run is resumed.
        mesh_teacher: second teacher, for eyelids, gaze and lips.
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
        workers: see `ddfa.options.Workers`.
        limit: see `ddfa.options.Limit`.
    """

    photos: Annotated[Path, arg(metavar="DIR|TAR")]
    teacher: Annotated[tuple[Path, ...], arg(metavar="BUNDLE ...")]
    output: Folder
    mesh_teacher: MaybeMeshTeacher = None
    points_teacher: Annotated[tuple[Path, ...], arg(metavar="FILE ...")] = ()
    points_weight: Annotated[float, arg(metavar="WEIGHT")] = WEIGHT
    previous: Annotated[Path | None, arg(metavar="DIR")] = None
    keep_beyond: Annotated[float, arg(metavar="SHARE")] = KEEP_BEYOND
    landmarks: Annotated[Path | None, arg(metavar="DIR|TAR|FILE")] = None
    centred: Annotated[float | None, arg(metavar="SHARE")] = None
    vertices: Annotated[int, arg(metavar="N")] = VERTICES
    max_error: Annotated[float, arg(metavar="SHARE")] = 0.1
    chunk: Annotated[int, arg(metavar="N")] = 256
    workers: Workers = 0
    limit: Limit = 0
