"""Accuracy of labels: landmarks against an annotated set, expressions against the mesh teacher.

    python benchmarks/labels.py data/a data/b --data w300.npz --inner --mesh-teacher face_landmarker.task

The data sets, made by `ddfa data label` from the photos of the annotated set, are compared on the photos that all of
them label.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ddfa.arrays import Bools, Float32, Float64
from ddfa.bench.apertures import apertures_from_faces
from ddfa.bench.landmarks import LandmarkOptions, landmark_errors
from ddfa.bench.metrics import box_size
from ddfa.bench.report import Report, Scores
from ddfa.bench.sets import AnnotatedSet, true_landmarks
from ddfa.bench.units import correlation, score_units, summary_sheet
from ddfa.data.pseudo_labels.mesh_scores import MAX_YAW_DEG, MIN_PRESENCE
from ddfa.data.pseudo_labels.mesh_teacher import MeshTeacher
from ddfa.data.sets.dataset import LABEL_FILE
from ddfa.data.sets.labels import Labels, image_euler
from ddfa.head.model import HeadModel


@dataclass(frozen=True, eq=False)
class Compared:
    """One data set on the photos in common.

    Attributes:
        name: of its folder.
        labels: of n photos.
        landmarks: (n, 68, 3) float32 px.
    """

    name: str
    labels: Labels
    landmarks: Float32


def common(folders: tuple[Path, ...], annotated: AnnotatedSet, head: HeadModel) -> tuple[list[Compared], AnnotatedSet]:
    """The labels and annotations of the photos that all data sets label, in one order."""
    sets = [Labels.load(folder / LABEL_FILE) for folder in folders]
    shared = set(annotated.names).intersection(*(labels.names for labels in sets))
    chosen = [number for number, name in enumerate(annotated.names) if name in shared]
    result = []
    for folder, labels in zip(folders, sets, strict=True):
        place = {name: number for number, name in enumerate(labels.names)}
        selected = labels.select(np.array([place[annotated.names[number]] for number in chosen], np.intp))
        result.append(Compared(folder.resolve().name, selected, selected.landmarks(head)))
    return result, annotated.subset(chosen)


def details(sets: list[Compared], annotated: AnnotatedSet, errors: list[Float64]) -> Table:
    """Parts of the face, apertures, and whether the fit error tells bad labels."""
    truth = true_landmarks(annotated)
    size = box_size(truth)
    parts = {"brows": (17, 27), "nose": (27, 36), "eyes": (36, 48), "outer lips": (48, 60), "inner lips": (60, 68)}
    gaps = ("lid gap", "mouth gap")
    table = Table("labels", *parts, *(f"{gap} r" for gap in gaps), "fit error r", title="parts, NME %; Pearson's r")
    no_expression = np.zeros((len(truth), 0), np.float32)
    own = apertures_from_faces(no_expression, (), truth, size)
    for one, error in zip(sets, errors, strict=True):
        distance = 100 * np.linalg.norm(one.landmarks[..., :2] - truth[..., :2], axis=-1) / size[:, None]
        found = apertures_from_faces(no_expression, (), one.landmarks, size)
        table.add_row(
            one.name,
            *(f"{distance[:, first:last].mean():.2f}" for first, last in parts.values()),
            *(f"{correlation(np.ravel(found[gap]), np.ravel(own[gap])):.2f}" for gap in gaps),
            f"{correlation(one.labels.fit_error, error):.2f}",
        )
    return table


def teacher_scores(task: Path, first: Compared, annotated: AnnotatedSet, head: HeadModel) -> tuple[Float32, Bools]:
    """The mesh teacher's scores (n, 52) of the photos, and where they can be trusted (n,)."""
    teacher = MeshTeacher(task, np.asarray(head.expression_mirror))
    numbers = track(range(len(annotated)), "mesh teacher", transient=True)
    views = [
        teacher.observe([annotated.photos.read(annotated.names[k])], first.landmarks[k : k + 1, :, :2]) for k in numbers
    ]
    scores, presence = (np.concatenate([getattr(view, name) for view in views]) for name in ("scores", "presence"))
    yaw = image_euler(first.labels.pose)[:, 0]
    return scores, np.asarray((presence > MIN_PRESENCE) & (np.abs(yaw) < MAX_YAW_DEG), bool)


def main(
    folders: Annotated[tuple[Path, ...], tyro.conf.Positional],
    data: Path,
    inner: bool = False,
    mesh_teacher: Path | None = None,
) -> None:
    """Compare labelled data sets and print tables.

    Args:
        folders: of the data sets.
        data: the annotated set, see `ddfa bench landmarks`.
        inner: score only the 51 points inside the face.
        mesh_teacher: a `face_landmarker.task`: also compare the expressions with its scores.
    """
    head = HeadModel.load()
    sets, annotated = common(folders, AnnotatedSet.load(data), head)
    truth, console = true_landmarks(annotated), Console()
    errors = [landmark_errors(one.landmarks, truth, LandmarkOptions(inner=inner)) for one in sets]
    scores = [Scores(one.name, error, annotated.yaw_deg) for one, error in zip(sets, errors, strict=True)]
    title = f"labels, NME % of {51 if inner else 68} points, {annotated.name} ({len(annotated)} photos)"
    console.print(Report.of_scores(title, "NME %", scores, {}).sheet.table())
    console.print(details(sets, annotated, errors))
    if mesh_teacher is not None:
        teacher, trusted = teacher_scores(mesh_teacher, sets[0], annotated, head)
        units = [
            score_units(one.name, head.expression_names, one.labels.expression[trusted], teacher[trusted])
            for one in sets
        ]
        console.print(summary_sheet(f"expressions against the mesh teacher ({trusted.sum()} photos)", units).table())


if __name__ == "__main__":
    tyro.cli(main)
