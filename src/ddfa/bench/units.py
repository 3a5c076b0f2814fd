"""Accuracy of the 52 blendshapes (`ddfa bench units`), unit by unit: against the mesh teacher or the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Bools, Float32, Float64, Floats
from ddfa.bench.chart import cumulative_chart
from ddfa.bench.predict import Watch
from ddfa.bench.report import Report, Sheet
from ddfa.bench.unit_photos import UnitPhotos
from ddfa.data.pseudo_labels.mesh_teacher import MeshTeacher
from ddfa.data.regions.labels import neutral_faces

# A unit is scored if the 99 % quantile of its true values, or of the teacher's scores, reaches this.
_SCORED_FROM: Final = 0.04
# r of left minus right is measured if the standard deviation of the difference reaches this.
_DIFFERS_FROM: Final = 0.01
_FEWEST: Final = 3  # photos that show a unit, for it to be scored
# Rotation of the eyes of the open head by a gaze unit of 1, degrees: sideways, up, down.
_SIDE_DEG, _UP_DEG, _DOWN_DEG = 30.0, 20.0, 25.0
# A wink is a difference of eyeBlink of at least the first value; it is recognised if the prediction has at least the
# second.
_WINK, _RECOGNISED = 0.2, 0.1


@dataclass(frozen=True)
class UnitScore:
    """Agreement of one unit. The truth may be the teacher's scores.

    Attributes:
        name: of the unit.
        r: correlation with the truth.
        r_difference: correlation of left minus right with the true difference; NaN for units without sides, or where
            the true sides hardly differ.
        slope: of the regression of the predictions on the truth.
        neutral: median prediction for neutral faces; NaN if there are none.
        low: 2.5 % quantile of the predictions.
        high: 97.5 % quantile.
        scored: whether the unit occurs.
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
    """Agreement of a model with the truth.

    Attributes:
        model: its name.
        units: one score per unit.
        gaze_errors_deg: (m,) angles between the predicted and the true gaze directions, for all open eyes in view.
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
        """Median of r over the scored units."""
        return _median([unit.r for unit in self.units if unit.scored])

    @property
    def median_r_difference(self) -> float:
        """Median of r of left minus right over the scored units with two sides; each pair counts once."""
        return _median([unit.r_difference for unit in self.units if unit.scored and unit.name.endswith("Left")])

    @property
    def largest_neutral(self) -> float:
        """Largest absolute median for neutral faces, over the scored units."""
        values = [abs(unit.neutral) for unit in self.units if unit.scored and not np.isnan(unit.neutral)]
        return max(values, default=float("nan"))


@dataclass(frozen=True)
class WinkScore:
    """Winks and blinks that are recognised.

    Attributes:
        winks: number of photos in which one eye is closed further.
        recognised: share of them in which the prediction has the same eye closed further; NaN without winks.
        blinks: number of photos with both eyes equally closed.
        blinks_recognised: share of them that are not predicted as winks; NaN without blinks.
    """

    winks: int
    recognised: float
    blinks: int
    blinks_recognised: float


def predict_units(aligner: FaceAligner, photos: UnitPhotos, watch: Watch) -> Float32:
    """Blendshapes (n, 52) of photos, from RoIs around their landmarks.

    Args:
        aligner: the model.
        photos: n photos.
        watch: wraps the sequence of numbers of the photos to show progress.
    """
    rows = [
        aligner(photos.images[i], landmarks=photos.landmarks[i : i + 1]).blendshapes for i in watch(range(len(photos)))
    ]
    return np.concatenate(rows)


def teacher_units(teacher: MeshTeacher, photos: UnitPhotos, watch: Watch) -> Float32:
    """Scores (n, 52) of the mesh teacher for photos; arguments as of `predict_units`."""
    rows = [teacher.observe([photos.images[i]], photos.landmarks[i : i + 1]).scores for i in watch(range(len(photos)))]
    return np.concatenate(rows)


def units_report(scores: Sequence[UnitScores], title: str, settings: Mapping[str, Any], *further: Sheet) -> Report:
    """A summary with one row per model, and a table of all units for each model.

    Args:
        scores: of all models.
        title: of the summary.
        settings: what was measured.
        further: tables after the summary.
    """
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
    return Report(summary_sheet(title, scores), record, chart, settings, (*further, *tables))


def score_units(
    model: str, names: Sequence[str], predicted: Floats, true: Floats, seen: Bools | None = None
) -> UnitScores:
    """Compare blendshapes with the teacher's scores, or with the truth.

    Args:
        model: its name, for the table.
        names: of the 52 units.
        predicted: (n, 52) of the model.
        true: (n, 52).
        seen: (n, 52) which units count in which photo; all by default.
    """
    names = list(names)
    own, truth = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    seen = np.ones(true.shape, bool) if seen is None else seen
    neutral = neutral_faces(names, truth)
    units = tuple(_score(names, number, own, truth, seen, neutral) for number in range(len(names)))
    gaze = gaze_angles_deg(gaze_directions(names, own), gaze_directions(names, truth))
    blinks, looks = ([names.index(f"{unit}{side}") for side in ("Left", "Right")] for unit in ("eyeBlink", "eyeLookIn"))
    # Closed eyes have no visible gaze.
    open_gaze = gaze[(truth[:, blinks] < 0.4) & seen[:, looks]]
    both = seen[:, blinks].all(axis=1)
    return UnitScores(model, units, open_gaze, wink_score(own[both][:, blinks], truth[both][:, blinks]))


def wink_score(predicted: Floats, true: Floats, recognised: float = _RECOGNISED) -> WinkScore:
    """Shares of the winks that are recognised, and of the blinks that are not predicted as winks.

    Args:
        predicted: (n, 2) eyeBlink of the left and the right eye.
        true: (n, 2).
        recognised: difference from which on a prediction is a wink.
    """
    difference, expected = predicted[:, 0] - predicted[:, 1], true[:, 0] - true[:, 1]
    winks = np.abs(expected) >= _WINK
    blinks = (true.min(axis=1) >= 2 * _WINK) & (np.abs(expected) < _WINK / 2)
    right = (difference * np.sign(expected) >= recognised)[winks]
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
            _number(one.median_r, 2),
            _number(one.median_r_difference, 2),
            _number(one.largest_neutral, 3),
            f"{one.gaze_deg:.1f}°",
            f"{100 * one.winks.recognised:.0f} % of {one.winks.winks}",
            f"{100 * one.winks.blinks_recognised:.0f} % of {one.winks.blinks}",
        )
        for one in scores
    ]
    return Sheet(title, columns, rows)


def _number(value: float, digits: int) -> str:
    """A number for a table; empty if it is unknown."""
    return "" if np.isnan(value) else f"{value:.{digits}f}"


def _cells(unit: UnitScore) -> tuple[str, ...]:
    neutral, high = _number(unit.neutral, 3), f"{unit.low:.2f}-{unit.high:.2f}"
    if not unit.scored:
        return ("", "", "", neutral, high)
    return _number(unit.r, 2), _number(unit.r_difference, 2), _number(unit.slope, 2), neutral, high


def _score(
    names: list[str], number: int, all_predicted: Float64, all_true: Float64, seen: Bools, neutral: Bools
) -> UnitScore:
    rows = seen[:, number]
    if rows.sum() < _FEWEST:
        nan = float("nan")
        return UnitScore(names[number], nan, nan, nan, nan, nan, nan, scored=False)
    own, true = all_predicted[rows, number], all_true[rows, number]
    other = _mirrored(names[number])
    r_difference = float("nan")
    if other in names and other != names[number]:
        both = rows & seen[:, names.index(other)]
        pair = [number, names.index(other)]
        difference = np.subtract(*all_true[both][:, pair].T)
        if both.sum() >= _FEWEST and difference.std() >= _DIFFERS_FROM:
            r_difference = correlation(np.subtract(*all_predicted[both][:, pair].T), difference)
    slope = float(np.cov(own, true)[0, 1] / true.var(ddof=1)) if true.var() > 0 else float("nan")
    low, high = (float(v) for v in np.quantile(own, [0.025, 0.975]))
    at_rest = float(np.median(own[neutral[rows]])) if neutral[rows].any() else float("nan")
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
