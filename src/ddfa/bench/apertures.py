"""Eye and mouth aperture on held-out photos: agreement of models with the face mesh or the labels.

The apertures of n photos, as estimated by a model or a reference, are a mapping from the names below to (n,) arrays:
expressions in [0, 1], and gaps between lids or lips in % of the face's size; NaN where there is no estimate.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ddfa.arrays import Float64, Floats
from ddfa.bench.chart import Chart
from ddfa.bench.expression import APERTURES, PRESENT, correlation, ranks
from ddfa.bench.metrics import box_size
from ddfa.bench.predict import Predictions, Watch
from ddfa.bench.report import Report, Sheet, number
from ddfa.bench.sets import AnnotatedSet
from ddfa.data.pseudo_labels.mesh_points import OBSERVED_POINTS
from ddfa.data.pseudo_labels.mesh_teacher import MeshTeacher
from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.errors import DataError
from ddfa.head.model import HeadModel

Apertures: TypeAlias = Mapping[str, Float64]
"""Measure -> (n,) float64, see the module."""

BLINK, LID_GAP, JAW, MOUTH_GAP = "eyeBlink", "lid gap", "jawOpen", "mouth gap"
MEASURES = (BLINK, LID_GAP, JAW, MOUTH_GAP)
_SIDES = ("left", "right")
_GAPS = {f"{LID_GAP}, left": "eyeBlinkLeft", f"{LID_GAP}, right": "eyeBlinkRight", MOUTH_GAP: "jawOpen"}
_EXPRESSIONS = {f"{BLINK}, left": "eyeBlinkLeft", f"{BLINK}, right": "eyeBlinkRight", JAW: "jawOpen"}
_EDGES = np.arange(9.0)  # of the bins of the lids' gap; the last bin is open
_CLOSED = 0.5
_RESAMPLED, _SEED = 1000, 0


def held_out_photos(folder: Path, share: float) -> LabelledPhotos:
    """The photos of a data set that `ddfa train` holds out for validation.

    Args:
        folder: a data set of `ddfa data label` for the open head.
        share: the fraction held out in training; 1 for all photos.

    Raises:
        DataError: the data set cannot be used, or has no held-out photo.
    """
    held_out = LabelledPhotos.open(folder, HeadModel.load()).split(share)[1]
    if not len(held_out.labels):
        raise DataError(f"{folder} has no held-out photos: label more photos")
    return held_out


def annotated(data: LabelledPhotos) -> AnnotatedSet:
    """Labelled photos as a test set; the RoIs come from their labels."""
    euler = np.column_stack([data.yaw_deg, *np.full((2, len(data.labels)), np.nan)])
    return AnnotatedSet(data.photos.path.stem, data.photos, data.labels.names, data.landmarks, euler.astype(np.float32))


def apertures_from_faces(expression: Floats, names: Sequence[str], points: Floats, size: Floats) -> Apertures:
    """Apertures of eyes and mouth from expressions and landmarks.

    Args:
        expression: (n, E).
        names: E names; expressions that are missing are left out of the result.
        points: (n, 68, 2 or more) px; only those of lids and inner lips are used.
        size: (n,) of the faces, px.
    """
    known = {
        measure: np.clip(np.asarray(expression[:, list(names).index(name)], np.float64), 0, 1)
        for measure, name in _EXPRESSIONS.items()
        if name in names
    }
    for measure, name in _GAPS.items():
        _, upper, lower = (list(part) for part in APERTURES[name])
        across = np.asarray(points[:, upper, :2], np.float64) - points[:, lower, :2]
        known[measure] = 100 * np.linalg.norm(across, axis=-1).mean(axis=1) / size
    for measure in (BLINK, LID_GAP):
        sides = [known[f"{measure}, {side}"] for side in _SIDES if f"{measure}, {side}" in known]
        if sides:
            known[measure] = np.mean(sides, axis=0)
    return known


def apertures_from_labels(data: LabelledPhotos) -> Apertures:
    """Apertures according to the labels."""
    names = HeadModel.load().expression_names
    return apertures_from_faces(data.labels.expression, names, data.landmarks, box_size(data.landmarks))


def apertures_from_mesh(task: Path, data: LabelledPhotos, watch: Watch = iter) -> Apertures:
    """Apertures predicted by a `face_landmarker.task`, see `MeshTeacher`; NaN where it finds no face.

    Raises:
        DataError: the file cannot be used.
    """
    head = HeadModel.load()
    assert head.expression_mirror is not None  # the open head has one
    teacher = MeshTeacher(task, head.expression_mirror)
    count = len(data.labels)
    points = np.full((count, max(OBSERVED_POINTS) + 1, 2), np.nan)
    scores = np.full((count, len(head.expression_names)), np.nan)
    for i in watch(range(count)):
        view = teacher.observe([data.photos.read(data.labels.names[i])], data.landmarks[i : i + 1, :, :2])
        if view.presence[0] >= PRESENT:
            points[i, list(OBSERVED_POINTS)], scores[i] = view.points[0], view.scores[0]
    return apertures_from_faces(scores, head.expression_names, points, box_size(data.landmarks))


def apertures_from_model(found: Predictions, data: LabelledPhotos) -> Apertures:
    """Apertures predicted by a model; NaN for photos in which it finds no face."""
    size = box_size(data.landmarks)
    measured = apertures_from_faces(found.expression, found.expression_names, found.landmarks68, size[found.index])
    full = {measure: np.full(found.count, np.nan) for measure in measured}
    for measure, values in measured.items():
        full[measure][found.index] = values
    return full


def joined(parts: Iterable[Apertures]) -> Apertures:
    """Concatenate the apertures of several sets."""
    parts = list(parts)
    return {measure: np.concatenate([part[measure] for part in parts]) for measure in parts[0]}


@dataclass(frozen=True)
class ApertureAgreement:
    """Agreement of a model with the reference in one measure.

    Attributes:
        measure: what was compared; for eyes the mean of both.
        model: the bundle's name.
        count: faces compared.
        pearson: linear correlation.
        pearson_range: its 95 % confidence interval (bootstrap over faces).
        spearman: rank correlation.
        spearman_range: its 95 % confidence interval.
        sides: linear correlation of the left and the right eye; NaN for the mouth.
    """

    measure: str
    model: str
    count: int
    pearson: float
    pearson_range: tuple[float, float]
    spearman: float
    spearman_range: tuple[float, float]
    sides: tuple[float, float]


def aperture_agreements(model: str, predicted: Apertures, reference: Apertures) -> list[ApertureAgreement]:
    """Compare a model with the reference, in each measure that the model predicts."""
    return [_agreement(model, measure, predicted, reference) for measure in MEASURES if measure in predicted]


@dataclass(frozen=True)
class BlinkCurve:
    """Mean `eyeBlink` over the lid gap of the reference, both eyes pooled; it should fall as the lids open.

    Attributes:
        model: the bundle's name.
        counts: eyes in each bin of the reference's lid gap: 0-1, 1-2, ... 7-8 and above 8 % of the face's size.
        means: mean `eyeBlink` in each bin; NaN for empty bins.
        largest_rise: largest difference from a bin to the next wider one; negative if the mean always falls.
    """

    model: str
    counts: tuple[int, ...]
    means: tuple[float, ...]
    largest_rise: float

    @property
    def monotone(self) -> bool:
        """Whether the mean never rises from one bin to the next."""
        return self.largest_rise <= 0


def blink_curve(model: str, predicted: Apertures, reference: Apertures) -> BlinkCurve:
    """Mean `eyeBlink` by the reference's lid gap."""
    gaps = np.concatenate([reference[f"{LID_GAP}, {side}"] for side in _SIDES])
    blink, gaps = _both_present(np.concatenate([predicted[f"{BLINK}, {side}"] for side in _SIDES]), gaps)
    bins = np.digitize(gaps, _EDGES) - 1
    chosen = [blink[bins == k] for k in range(len(_EDGES))]
    means = np.array([part.mean() if len(part) else np.nan for part in chosen])
    steps = np.diff(means[~np.isnan(means)])
    return BlinkCurve(model, tuple(map(len, chosen)), tuple(means.tolist()), float(steps.max(initial=-np.inf)))


def apertures_report(
    title: str, compared: Sequence[tuple[str, Apertures]], reference: Apertures, settings: dict[str, Any]
) -> Report:
    """Report the agreement of models with the reference.

    Args:
        title: what was measured, on what and how.
        compared: names of the models, and their apertures.
        reference: apertures of the reference.
        settings: how the benchmark was run.

    Returns:
        The report; the chart shows `eyeBlink` over the reference's lid gap.
    """
    results = [result for name, predicted in compared for result in aperture_agreements(name, predicted, reference)]
    results.sort(key=lambda result: MEASURES.index(result.measure))
    rated = [("the reference", reference), *compared]
    falls = [blink_curve(name, predicted, reference) for name, predicted in rated if BLINK in predicted]
    columns = ("measure", "model", "faces", "Pearson", "95 %", "Spearman", "95 %", "left eye", "right eye")
    rows = [
        (
            r.measure, r.model, str(r.count),
            number(r.pearson), _range(r.pearson_range), number(r.spearman), _range(r.spearman_range),
            *map(number, r.sides),
        )
        for r in results
    ]  # fmt: skip
    closed = int((reference[BLINK] >= _CLOSED).sum())
    bins = (*(f"{low:g}-{low + 1:g} %" for low in _EDGES[:-1]), f"> {_EDGES[-1]:g} %")
    second = Sheet(
        f"mean eyeBlink by the reference's lid gap, % of the face's size ({closed} faces with eyes closed)",
        ("model", *bins, "monotone"),
        [("eyes", *map(str, falls[0].counts), ""),
         *((f.model, *map(number, f.means), "yes" if f.monotone else f"no: +{f.largest_rise:.3f}") for f in falls)],
    )  # fmt: skip
    middles = _EDGES + 0.5
    lines = {f.model: _filled(middles, np.array(f.means)) for f in falls}
    chart = Chart(title, "lid gap of the reference, % of the face's size", "mean eyeBlink", lines, _EDGES[-1] + 1, 1.0)
    report = Report(Sheet(title, columns, rows), [asdict(r) for r in results], chart, settings)
    by_gap = [asdict(f) | {"monotone": f.monotone} for f in falls]
    return report.with_further(second, closed=closed, eyeBlink_by_lid_gap=by_gap)


def _agreement(model: str, measure: str, predicted: Apertures, reference: Apertures) -> ApertureAgreement:
    own, true = _both_present(predicted[measure], reference[measure])
    draws = np.random.default_rng(_SEED).integers(0, max(len(own), 1), (_RESAMPLED, len(own)))
    linear = [correlation(own[draw], true[draw]) for draw in draws]
    ranked = [correlation(ranks(own[draw]), ranks(true[draw])) for draw in draws]
    sides = [
        correlation(*_both_present(predicted[side], reference[side])) if side in predicted else float("nan")
        for side in (f"{measure}, {side}" for side in _SIDES)
    ]
    return ApertureAgreement(
        measure, model, len(own),
        correlation(own, true), _middle(linear), correlation(ranks(own), ranks(true)), _middle(ranked),
        (sides[0], sides[1]),
    )  # fmt: skip


def _both_present(own: Float64, true: Float64) -> tuple[Float64, Float64]:
    known = ~np.isnan(own + true)
    return own[known], true[known]


def _middle(values: Sequence[float]) -> tuple[float, float]:
    """The central 95 % range of the values."""
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _range(ends: tuple[float, float]) -> str:
    return f"{number(ends[0])} to {number(ends[1])}"


def _filled(x: Float64, y: Float64) -> tuple[Float64, Float64]:
    return x[~np.isnan(y)], y[~np.isnan(y)]
