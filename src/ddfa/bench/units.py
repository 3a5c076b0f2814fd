"""How well a model tells the 52 face units: against the mesh teacher's scores of the same photos, unit by unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ddfa.arrays import Bools, Float64, Floats
from ddfa.bench.report import Sheet

# A unit that the teacher scores: the 99 % quantile of its scores reaches this.
_SCORED_FROM: Final = 0.04
# A difference of left and right that can be measured: its standard deviation reaches this.
_DIFFERS_FROM: Final = 0.01
# Faces count as neutral where the teacher's scores of these units, by the start of their names, stay below.
_NEUTRAL: Final = {
    "eyeBlink": 0.25, "eyeWide": 0.05, "eyeLook": 0.3, "browDown": 0.3, "browInnerUp": 0.2, "browOuterUp": 0.2,
    "jaw": 0.03, "mouthSmile": 0.1, "mouthPucker": 0.3, "mouthFunnel": 0.05, "mouthUpperUp": 0.1,
    "mouthLowerDown": 0.1, "mouthPress": 0.15, "mouthStretch": 0.1, "mouthShrugLower": 0.3, "mouthRoll": 0.15,
}  # fmt: skip
# Degrees that the eyes of the open head turn by at 1: to the side, up, down.
_SIDE_DEG, _UP_DEG, _DOWN_DEG = 30.0, 20.0, 25.0
# A wink: one eye is closed this much more than the other; it is told where the difference is at least the second.
_WINK, _TOLD = 0.2, 0.1


@dataclass(frozen=True)
class UnitScore:
    """One unit.

    Attributes:
        name: of the unit.
        r: correlation with the teacher.
        r_difference: correlation of left minus right with the teacher's; NaN for units without sides, or where the
            teacher's sides hardly differ.
        slope: of the regression of what is said on what the teacher says.
        neutral: median at neutral faces.
        low: 2.5 % quantile of what is said.
        high: 97.5 % quantile.
        scored: whether the teacher scores this unit at all.
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
    """A model's units against the teacher's.

    Attributes:
        model: its name.
        units: one each.
        gaze_deg: median angle between its directions of gaze and the teacher's.
        winks: the teacher's winks; how many of them are told, and how many of its blinks of both eyes are not taken
            for winks, as shares; NaN where there are none.
    """

    model: str
    units: tuple[UnitScore, ...]
    gaze_deg: float
    winks: "WinkScore"

    @property
    def median_r(self) -> float:
        """Over the units the teacher scores."""
        return _median([unit.r for unit in self.units if unit.scored])

    @property
    def median_r_difference(self) -> float:
        """Over the units with sides that the teacher scores; each pair counts once."""
        return _median([unit.r_difference for unit in self.units if unit.scored and unit.name.endswith("Left")])

    @property
    def largest_neutral(self) -> float:
        """Largest absolute value at neutral faces, over the units the teacher scores."""
        return float(max((abs(unit.neutral) for unit in self.units if unit.scored), default=float("nan")))


@dataclass(frozen=True)
class WinkScore:
    """Winks told from blinks.

    Attributes:
        winks: how many there are.
        told: share of them in which the right eye is said to be closed further.
        blinks: photos with both eyes closed alike.
        kept: share of them that are not taken for winks.
    """

    winks: int
    told: float
    blinks: int
    kept: float


def score_units(model: str, names: Sequence[str], said: Floats, teacher: Floats) -> UnitScores:
    """Compare units with the teacher's.

    Args:
        model: its name, for the table.
        names: of the 52 units.
        said: (n, 52) what the model says.
        teacher: (n, 52) the teacher's scores.
    """
    names = list(names)
    said, teacher = np.asarray(said, np.float64), np.asarray(teacher, np.float64)
    neutral = neutral_faces(names, teacher)
    units = tuple(_score(names, number, said, teacher, neutral) for number in range(len(names)))
    gaze = gaze_angles_deg(gaze_directions(names, said), gaze_directions(names, teacher))
    blinks = [names.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    open_gaze = gaze[teacher[:, blinks] < 0.4]  # nobody sees where closed eyes look
    median = float(np.median(open_gaze)) if open_gaze.size else float("nan")
    return UnitScores(model, units, median, wink_score(said[:, blinks], teacher[:, blinks]))


def neutral_faces(names: Sequence[str], teacher: Floats) -> Bools:
    """(n,) which faces the teacher (n, 52) finds to express nothing."""
    limits = np.full(len(names), np.inf)
    for start, limit in _NEUTRAL.items():
        limits[[k for k, name in enumerate(names) if name.startswith(start)]] = limit
    return np.asarray((teacher < limits).all(axis=1), bool)


def wink_score(said: Floats, teacher: Floats, told: float = _TOLD) -> WinkScore:
    """Count the teacher's winks that are told, and its blinks that are not taken for winks.

    Args:
        said: (n, 2) eyeBlink of the left and the right eye.
        teacher: (n, 2) the teacher's, or the truth.
        told: difference from which on a model tells a wink.
    """
    difference, true = said[:, 0] - said[:, 1], teacher[:, 0] - teacher[:, 1]
    winks = np.abs(true) >= _WINK
    blinks = (teacher.min(axis=1) >= 2 * _WINK) & (np.abs(true) < _WINK / 2)
    right = (difference * np.sign(true) >= told)[winks]
    kept = (np.abs(difference) < told)[blinks]
    return WinkScore(int(winks.sum()), _mean(right), int(blinks.sum()), _mean(kept))


def gaze_directions(names: Sequence[str], units: Floats) -> Float64:
    """Where the left and the right eye look in the head, (n, 2, 3) unit vectors, of units (n, 52)."""
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


def units_sheet(title: str, scores: Sequence[UnitScores]) -> Sheet:
    """One row per unit, and for each model r, r of left minus right, slope, value at neutral faces and range."""
    figures = ("r", "r left - right", "slope", "neutral", "95 % range")
    columns = ("unit", *(f"{one.model}: {figure}" for one in scores for figure in figures))
    rows = [
        (units[0].name, *(cell for unit in units for cell in _cells(unit)))
        for units in zip(*(one.units for one in scores), strict=True)
    ]
    return Sheet(title, columns, rows)


def summary_sheet(title: str, scores: Sequence[UnitScores]) -> Sheet:
    """One row per model."""
    columns = ("model", "median r", "median r left - right", "largest at neutral", "gaze", "winks told", "blinks kept")
    rows = [
        (
            one.model,
            f"{one.median_r:.2f}",
            f"{one.median_r_difference:.2f}",
            f"{one.largest_neutral:.3f}",
            f"{one.gaze_deg:.1f}°",
            f"{100 * one.winks.told:.0f} % of {one.winks.winks}",
            f"{100 * one.winks.kept:.0f} % of {one.winks.blinks}",
        )
        for one in scores
    ]
    return Sheet(title, columns, rows)


def _cells(unit: UnitScore) -> tuple[str, ...]:
    if not unit.scored:
        return ("", "", "", f"{unit.neutral:.3f}", f"{unit.low:.2f}-{unit.high:.2f}")
    difference = "" if np.isnan(unit.r_difference) else f"{unit.r_difference:.2f}"
    return f"{unit.r:.2f}", difference, f"{unit.slope:.2f}", f"{unit.neutral:.3f}", f"{unit.low:.2f}-{unit.high:.2f}"


def _score(names: list[str], number: int, said: Float64, teacher: Float64, neutral: Bools) -> UnitScore:
    own, true = said[:, number], teacher[:, number]
    other = _mirrored(names[number])
    r_difference = float("nan")
    if other in names and other != names[number]:
        k = names.index(other)
        differs = true - teacher[:, k]
        if differs.std() >= _DIFFERS_FROM:
            r_difference = correlation(own - said[:, k], differs)
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
