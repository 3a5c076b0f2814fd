"""How much the neutral shape of a person changes between photos (`ddfa bench identity`).

A person's shape is constant, so distances within a person are errors; those between people show how much of the shape
is person-specific.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Float32, Float64, UInt8
from ddfa.bench.chart import cumulative_chart
from ddfa.bench.predict import detect_face
from ddfa.bench.report import Report, Sheet
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError
from ddfa.faces import Faces
from ddfa.head.model import HeadModel
from ddfa.person.fusion import fuse


@dataclass(frozen=True, eq=False)
class IdentityScores:
    """Distances between neutral shapes, for one model.

    Attributes:
        model: its name.
        faces: number of faces.
        within: (p,) float64 distances of all pairs of faces of the same person, mm.
        between: (q,) float64 distances of all pairs of faces of different people, mm.
        people: mean distance within each person, mm; NaN for a person with a single face.
    """

    model: str
    faces: int
    within: Float64
    between: Float64
    people: dict[str, float]

    @property
    def auc(self) -> float:
        """Share of the pairs (within, between) of which the first is smaller; 0.5 if identity tells nothing."""
        if not len(self.within) or not len(self.between):
            return float("nan")
        order = np.searchsorted(np.sort(self.between), self.within, side="right")
        return float(1 - order.mean() / len(self.between))

    @property
    def ratio(self) -> float:
        """Mean distance between people, relative to that within a person; NaN if one of them is not known."""
        if not len(self.within) or not len(self.between):
            return float("nan")
        return float(self.between.mean() / self.within.mean())


def largest_faces(aligner: FaceAligner, images: Iterable[UInt8]) -> list[Faces]:
    """The largest face of each image that shows one.

    Args:
        aligner: the model.
        images: (H, W, 3) uint8 RGB.

    Raises:
        ModelError: the model is not of the open head, whose units are millimetres.
    """
    aligner.head.require_arkit("ddfa bench identity")
    found = (detect_face(aligner, image) for image in images)
    return [face for face in found if len(face)]


def neutral_shapes(head: HeadModel, faces: Sequence[Faces]) -> Float32:
    """Neutral vertices (n, F, 3) of the face region of n results with one face each, head units."""
    region = head.regions.get("face", np.ones(head.vertices, bool))
    return np.concatenate(
        [np.zeros((0, int(region.sum()), 3), np.float32), *(f.neutral_vertices[:, region] for f in faces)]
    )


def fused_halves(faces: Sequence[Faces]) -> list[Faces]:
    """Fuse every other photo of a person, and those between: two results with one face each, one if there is one photo.

    Args:
        faces: results with one face each.
    """
    return [fuse(half).faces[0] for half in (faces[::2], faces[1::2]) if half]


def score_identity(model: str, people: Mapping[str, Float32]) -> IdentityScores:
    """Compare the shapes of people. The distance of two shapes is the mean distance of their vertices.

    Args:
        model: its name.
        people: neutral vertices (n, F, 3) by person, mm.
    """
    names = list(people)
    owner = np.repeat(np.arange(len(names)), [len(people[name]) for name in names])
    shapes = np.concatenate([people[name] for name in names])
    distance = np.array([np.linalg.norm(shapes - one, axis=2).mean(axis=1) for one in shapes], np.float64)
    first, second = np.triu_indices(len(shapes), 1)
    same, pairs = owner[first] == owner[second], distance[first, second]
    means = [pairs[same & (owner[first] == k)] for k in range(len(names))]
    own = {name: float(d.mean()) if len(d) else float("nan") for name, d in zip(names, means, strict=True)}
    return IdentityScores(model, len(shapes), pairs[same], pairs[~same], own)


def people_in(photos: Photos) -> dict[str, list[str]]:
    """Names of photos by person: the folder in which they are.

    Raises:
        DataError: a photo is not in the folder of a person.
    """
    people: dict[str, list[str]] = {}
    for name in photos.names:
        folder, _, file = name.partition("/")
        if not file:
            raise DataError(f"{photos.path} contains {name} outside a folder: put the photos of each person into one")
        people.setdefault(folder, []).append(name)
    return people


def identity_report(scores: Sequence[IdentityScores], title: str) -> Report:
    """One row per model, and a table of people.

    Args:
        scores: of all models, at least one.
        title: of the table.
    """
    columns = ("model", "faces", "within, mm", "±", "between, mm", "±", "between / within", "within < between")
    rows = [
        (
            s.model,
            str(s.faces),
            *_mean(s.within),
            *_mean(s.between),
            "" if np.isnan(s.ratio) else f"{s.ratio:.2f}",
            "" if np.isnan(s.auc) else f"{100 * s.auc:.0f} %",
        )
        for s in scores
    ]
    record = [
        {
            "model": one.model,
            "faces": one.faces,
            "within_mm": float(one.within.mean()) if len(one.within) else None,
            "between_mm": float(one.between.mean()) if len(one.between) else None,
            "between_by_within": None if np.isnan(one.ratio) else one.ratio,
            "auc": None if np.isnan(one.auc) else one.auc,
            "people": {name: None if np.isnan(value) else value for name, value in one.people.items()},
        }
        for one in scores
    ]
    lines = {f"{s.model}, {what}": (getattr(s, what), 0) for s in scores for what in ("within", "between")}
    chart = cumulative_chart(title, "distance, mm", {name: line for name, line in lines.items() if len(line[0])})
    people = Sheet(
        "distance within each person, mm",
        ("of", *(one.model for one in scores)),
        [
            (name, *(f"{one.people[name]:.2f}" for one in scores))
            for name, distance in scores[0].people.items()
            if not np.isnan(distance)
        ],
    )
    return Report(Sheet(title, columns, rows), record, chart, {}, (people,))


def _mean(values: Float64) -> tuple[str, str]:
    return (f"{values.mean():.2f}", f"{values.std():.2f}") if len(values) else ("", "")
