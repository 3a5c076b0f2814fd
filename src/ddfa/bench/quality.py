"""Figures of estimated quality: rank correlation, area under the ROC curve, calibration."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from ddfa.arrays import Bools, Floats
from ddfa.bench.chart import Chart
from ddfa.bench.metrics import aligned, box_size
from ddfa.bench.predict import Predictions
from ddfa.bench.report import Report, Sheet, number
from ddfa.errors import DataError

ACCURATE: Final = 0.05  # mean error of the landmarks, as a share of the face size, up to which a fit is accurate
_BINS: Final = 10


def spearman(first: Floats, second: Floats) -> float:
    """Spearman's rank correlation of two samples (n,); NaN where one is constant."""
    from scipy.stats import rankdata

    a, b = (rankdata(values) for values in (first, second))
    return float(np.corrcoef(a, b)[0, 1]) if len(a) > 1 and a.std() > 0 and b.std() > 0 else math.nan


def auc(scores: Floats, positive: Bools) -> float:
    """Area under the ROC curve: the probability that a positive has a higher score than a negative.

    Args:
        scores: (n,).
        positive: (n,) bool.

    Returns:
        In [0, 1]; NaN without positives or negatives.
    """
    from scipy.stats import rankdata

    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return math.nan
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))


def reliability(probability: Floats, positive: Bools) -> list[tuple[int, float, float]]:
    """The reliability diagram: for each tenth of [0, 1], number of samples, mean probability, share of positives.

    Args:
        probability: (n,) estimated.
        positive: (n,) bool, what happened.
    """
    number = np.minimum((np.asarray(probability) * _BINS).astype(int), _BINS - 1)
    rows = []
    for k in range(_BINS):
        inside = number == k
        count = int(inside.sum())
        nothing = (0, math.nan, math.nan)
        rows.append((count, float(probability[inside].mean()), float(positive[inside].mean())) if count else nothing)
    return rows


def calibration_error(probability: Floats, positive: Bools) -> float:
    """The expected calibration error: mean distance of both columns of `reliability`, weighted by the numbers."""
    rows = reliability(probability, positive)
    return sum(count * abs(mean - share) for count, mean, share in rows if count) / max(1, len(probability))


@dataclass(frozen=True)
class QualityScore:
    """How well a model estimates its own accuracy on a set of photos.

    Attributes:
        model: its name.
        accurate: share of the faces whose mean landmark error is below 5 % of the face size.
        calibration_error: expected calibration error of `Faces.quality` as the probability of that.
        auc: area under the ROC curve of `Faces.quality` for that.
        spearman: rank correlation of the mean estimated deviation and the mean error of a face, both relative to the
            face size.
        ratio: root mean square of the errors in x and y, each divided by its estimated deviation; ideally 1.
        rows: the reliability diagram, see `reliability`.
    """

    model: str
    accurate: float
    calibration_error: float
    auc: float
    spearman: float
    ratio: float
    rows: tuple[tuple[int, float, float], ...]


def score_quality(found: Predictions, truth: Floats, *, align: bool = False) -> QualityScore:
    """Score the estimates of a model.

    Args:
        found: its predictions for n photos.
        truth: (n, 68, 2 or more) true landmarks, px.
        align: measure errors after the best scale and translation, for sets whose crops are not known exactly.

    Raises:
        DataError: the model has no quality head.
    """
    if found.quality is None or found.landmark_std is None:
        raise DataError(f"bundle '{found.model}' has no quality head: name another one, or train it (train-quality)")
    true = truth[found.index]
    predicted = aligned(found.landmarks68, true) if align else found.landmarks68
    errors, size = predicted[..., :2] - true[..., :2], box_size(true)
    relative = np.linalg.norm(errors, axis=-1).mean(axis=1) / size
    accurate = relative < ACCURATE
    return QualityScore(
        found.model,
        float(accurate.mean()),
        calibration_error(found.quality, accurate),
        auc(found.quality, accurate),
        spearman(found.landmark_std.mean(axis=1) / size, relative),
        _ratio(errors, found.landmark_std),
        tuple(reliability(found.quality, accurate)),
    )


def deviation_ratio(found: Predictions, truth: Floats, points: slice = slice(None)) -> float:
    """Root mean square of the errors in x and y, each divided by its estimated deviation.

    Args:
        found: predictions of a model with a quality head for n photos.
        truth: (n, 68, 2 or more) true landmarks, px.
        points: landmarks that count.
    """
    assert found.landmark_std is not None
    errors = found.landmarks68[:, points, :2] - truth[found.index][:, points, :2]
    return _ratio(errors, found.landmark_std[:, points])


def _ratio(errors: Floats, std: Floats) -> float:
    return float(np.sqrt(np.mean((errors / std[..., None]) ** 2)))


def quality_report(scores: Sequence[QualityScore], title: str) -> Report:
    """The figures of all models, and the reliability diagram."""
    columns = ("model", "accurate", "calibration error", "AUC", "Spearman", "error / deviation")
    rows = [
        (one.model, *(number(v) for v in (one.accurate, one.calibration_error, one.auc, one.spearman, one.ratio)))
        for one in scores
    ]
    lines = {one.model: _diagram(one.rows) for one in scores}
    ideal = np.linspace(0, 1, 2)
    chart = Chart(title, "estimated quality", "share of accurate fits", {"ideal": (ideal, ideal), **lines}, 1.0, 1.0)
    head = ("model", "estimated", "faces", "mean estimate", "accurate")
    bins = [
        (one.model, f"{k / _BINS:.1f}-{(k + 1) / _BINS:.1f}", str(count), number(mean), number(share))
        for one in scores
        for k, (count, mean, share) in enumerate(one.rows)
        if count
    ]
    report = Report(Sheet(title, columns, rows), [asdict(one) for one in scores], chart)
    return report.with_further(Sheet("reliability", head, bins))


def _diagram(rows: Sequence[tuple[int, float, float]]) -> tuple[Floats, Floats]:
    filled = [(mean, share) for count, mean, share in rows if count]
    return np.array([mean for mean, _ in filled]), np.array([share for _, share in filled])
