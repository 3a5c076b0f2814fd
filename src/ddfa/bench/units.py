"""Accuracy of the 52 blendshapes (`ddfa bench units`): agreement with the mesh teacher's scores, unit by unit."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Bools, Float32, Float64, Floats
from ddfa.bench.chart import cumulative_chart
from ddfa.bench.predict import Watch
from ddfa.bench.report import Report, Sheet
from ddfa.data.regions.labels import Corpus, neutral_faces

# A unit is scored by the teacher if the 99 % quantile of its scores reaches this.
_SCORED_FROM: Final = 0.04
# r of left minus right is measured if the standard deviation of the difference reaches this.
_DIFFERS_FROM: Final = 0.01
# Rotation of the eyes of the open head by a gaze unit of 1, degrees: sideways, up, down.
_SIDE_DEG, _UP_DEG, _DOWN_DEG = 30.0, 20.0, 25.0
# A wink is a difference of eyeBlink of at least the first value; it is recognised if the prediction has at least the
# second.
_WINK, _RECOGNISED = 0.2, 0.1


@dataclass(frozen=True)
class UnitScore:
    """Agreement of one unit.

    Attributes:
        name: of the unit.
        r: correlation with the teacher.
        r_difference: correlation of left minus right with the teacher's; NaN for units without sides, or where the
            teacher's sides hardly differ.
        slope: of the regression of the predictions on the scores.
        neutral: median prediction for neutral faces.
        low: 2.5 % quantile of the predictions.
        high: 97.5 % quantile.
        scored: whether the teacher scores this unit.
    """

    name: str
    r: float
    r_difference: float
    slope: float
    neutral: float
    low: float
    high: float
    scored: bool


@dataclass(frozen=True, eq=False)
class UnitScores:
    """Agreement of a model with the teacher.

    Attributes:
        model: its name.
        units: one score per unit.
        gaze_errors_deg: (m,) angles between the gaze directions of model and teacher, for all open eyes.
        winks: recognised winks and blinks.
    """

    model: str
    units: tuple[UnitScore, ...]
    gaze_errors_deg: Float64
    winks: "WinkScore"

    @property
    def gaze_deg(self) -> float:
        """Median of the gaze errors."""
        return _median(self.gaze_errors_deg.tolist())

    @property
    def median_r(self) -> float:
        """Median of r over the units that the teacher scores."""
        return _median([unit.r for unit in self.units if unit.scored])

    @property
    def median_r_difference(self) -> float:
        """Median of r of left minus right over the scored units with two sides; each pair counts once."""
        return _median([unit.r_difference for unit in self.units if unit.scored and unit.name.endswith("Left")])

    @property
    def largest_neutral(self) -> float:
        """Largest absolute median for neutral faces, over the units that the teacher scores."""
        return float(max((abs(unit.neutral) for unit in self.units if unit.scored), default=float("nan")))


@dataclass(frozen=True)
class WinkScore:
    """Winks and blinks that are recognised.

    Attributes:
        winks: number of photos in which the teacher finds one eye closed further.
        recognised: share of them in which the prediction has the same eye closed further; NaN without winks.
        blinks: number of photos with both eyes equally closed.
        blinks_recognised: share of them that are not predicted as winks; NaN without blinks.
    """

    winks: int
    recognised: float
    blinks: int
    blinks_recognised: float


def predict_units(aligner: FaceAligner, corpora: Sequence[Corpus], watch: Watch) -> Float32:
    """Blendshapes (n, 52) of the chosen photos of corpora, from RoIs around the landmarks of their labels.

    Args:
        aligner: the model.
        corpora: the photos, at least one.
        watch: wraps the sequence of numbers of the photos to show progress.
    """
    photos = [(corpus, i) for corpus in corpora for i in corpus.chosen]
    rows = []
    for number in watch(range(len(photos))):
        corpus, i = photos[number]
        rows.append(aligner(corpus.images[i], landmarks=corpus.labels.landmarks[i : i + 1]).blendshapes)
    return np.concatenate(rows)


def units_report(scores: Sequence[UnitScores], data: str, faces: int) -> Report:
    """A summary with one row per model, and a table of all units for each model.

    Args:
        scores: of all models.
        data: name of the photos.
        faces: number of photos.
    """
    title = f"blendshapes against the mesh teacher on {data} ({faces} held-out photos)"
    record = [
        {
            "model": one.model,
            "median_r": one.median_r,
            "median_r_difference": one.median_r_difference,
            "largest_neutral": one.largest_neutral,
            "gaze_deg": one.gaze_deg,
            "winks": asdict(one.winks),
            "units": [asdict(unit) for unit in one.units],
        }
        for one in scores
    ]
    chart = cumulative_chart("gaze", "gaze error (degrees)", {one.model: (one.gaze_errors_deg, 0) for one in scores})
    tables = tuple(units_sheet(f"units: {one.model}", one) for one in scores)
    return Report(summary_sheet(title, scores), record, chart, {"data": data, "faces": faces}, tables)


def score_units(model: str, names: Sequence[str], predicted: Floats, teacher: Floats) -> UnitScores:
    """Compare blendshapes with the teacher's scores.

    Args:
        model: its name, for the table.
        names: of the 52 units.
        predicted: (n, 52) of the model.
        teacher: (n, 52) scores.
    """
    names = list(names)
    own, true = np.asarray(predicted, np.float64), np.asarray(teacher, np.float64)
    neutral = neutral_faces(names, true)
    units = tuple(_score(names, number, own, true, neutral) for number in range(len(names)))
    gaze = gaze_angles_deg(gaze_directions(names, predicted), gaze_directions(names, teacher))
    blinks = [names.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    open_gaze = gaze[teacher[:, blinks] < 0.4]  # closed eyes have no visible gaze
    return UnitScores(model, units, open_gaze, wink_score(predicted[:, blinks], teacher[:, blinks]))


def wink_score(predicted: Floats, teacher: Floats, recognised: float = _RECOGNISED) -> WinkScore:
    """Shares of the teacher's winks that are recognised, and of its blinks that are not predicted as winks.

    Args:
        predicted: (n, 2) eyeBlink of the left and the right eye.
        teacher: (n, 2) of the teacher, or the truth.
        recognised: difference from which on a prediction is a wink.
    """
    difference, true = predicted[:, 0] - predicted[:, 1], teacher[:, 0] - teacher[:, 1]
    winks = np.abs(true) >= _WINK
    blinks = (teacher.min(axis=1) >= 2 * _WINK) & (np.abs(true) < _WINK / 2)
    right = (difference * np.sign(true) >= recognised)[winks]
    blinks_recognised = (np.abs(difference) < recognised)[blinks]
    return WinkScore(int(winks.sum()), _mean(right), int(blinks.sum()), _mean(blinks_recognised))


def gaze_directions(names: Sequence[str], units: Floats) -> Float64:
    """Gaze directions of the left and the right eye relative to the head, (n, 2, 3) unit vectors, of units (n, 52)."""
    names = list(names)

    def of(unit: str) -> Float64:
        return np.asarray(units[:, [names.index(f"{unit}{side}") for side in ("Left", "Right")]], np.float64)

    side = np.deg2rad(_SIDE_DEG) * (of("eyeLookOut") - of("eyeLookIn")) * [1, -1]  # the left eye is at +x
    up = np.deg2rad(_UP_DEG) * of("eyeLookUp") - np.deg2rad(_DOWN_DEG) * of("eyeLookDown")
    return np.stack([np.sin(side) * np.cos(up), np.sin(up), np.cos(side) * np.cos(up)], axis=-1)


def gaze_angles_deg(directions: Floats, others: Floats) -> Float64:
    """Angles between unit vectors (..., 3), degrees."""
    cross = np.linalg.norm(np.cross(directions, others), axis=-1)
    return np.asarray(np.rad2deg(np.arctan2(cross, (directions * others).sum(axis=-1))))


def units_sheet(title: str, scores: UnitScores) -> Sheet:
    """One row per unit: r, r of left minus right, slope, median for neutral faces and range."""
    columns = ("unit", "r", "r left - right", "slope", "neutral", "95 % range")
    return Sheet(title, columns, [(unit.name, *_cells(unit)) for unit in scores.units])


def summary_sheet(title: str, scores: Sequence[UnitScores]) -> Sheet:
    """One row per model."""
    columns = (
        "model",
        "median r",
        "left - right",
        "max. at neutral",
        "gaze",
        "winks",
        "blinks",
    )
    rows = [
        (
            one.model,
            f"{one.median_r:.2f}",
            f"{one.median_r_difference:.2f}",
            f"{one.largest_neutral:.3f}",
            f"{one.gaze_deg:.1f}°",
            f"{100 * one.winks.recognised:.0f} % of {one.winks.winks}",
            f"{100 * one.winks.blinks_recognised:.0f} % of {one.winks.blinks}",
        )
        for one in scores
    ]
    return Sheet(title, columns, rows)


def _cells(unit: UnitScore) -> tuple[str, ...]:
    if not unit.scored:
        return ("", "", "", f"{unit.neutral:.3f}", f"{unit.low:.2f}-{unit.high:.2f}")
    difference = "" if np.isnan(unit.r_difference) else f"{unit.r_difference:.2f}"
    return f"{unit.r:.2f}", difference, f"{unit.slope:.2f}", f"{unit.neutral:.3f}", f"{unit.low:.2f}-{unit.high:.2f}"


def _score(names: list[str], number: int, predicted: Float64, teacher: Float64, neutral: Bools) -> UnitScore:
    own, true = predicted[:, number], teacher[:, number]
    other = _mirrored(names[number])
    r_difference = float("nan")
    if other in names and other != names[number]:
        k = names.index(other)
        difference = true - teacher[:, k]
        if difference.std() >= _DIFFERS_FROM:
            r_difference = correlation(own - predicted[:, k], difference)
    slope = float(np.cov(own, true)[0, 1] / true.var(ddof=1)) if true.var() > 0 else float("nan")
    low, high = (float(v) for v in np.quantile(own, [0.025, 0.975]))
    at_rest = float(np.median(own[neutral])) if neutral.any() else float("nan")
    scored = bool(np.quantile(true, 0.99) >= _SCORED_FROM)
    return UnitScore(names[number], correlation(own, true), r_difference, slope, at_rest, low, high, scored)


def correlation(a: Floats, b: Floats) -> float:
    """Pearson's r; 0 where one of the two does not vary."""
    return float(np.corrcoef(a, b)[0, 1]) if np.std(a) > 0 and np.std(b) > 0 else 0.0


def _mirrored(name: str) -> str:
    for one, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(one):
            return name.removesuffix(one) + other
    return name


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.median(known)) if known else float("nan")


def _mean(values: Bools) -> float:
    return float(values.mean()) if len(values) else float("nan")
