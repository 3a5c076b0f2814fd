"""Landmark error: NME, its variant after alignment, and the summary over yaw bins."""

from dataclasses import dataclass

import numpy as np

from ddfa.arrays import Bools, Float64, Floats

# Upper ends of the bins of |yaw|, degrees; the last bin is open.
_BIN_EDGES = (30.0, 60.0)
BIN_NAMES = ("0-30°", "30-60°", "> 60°")


@dataclass(frozen=True)
class Summary:
    """An error over a data set.

    Attributes:
        bins: mean error of the three yaw bins; NaN for a bin without faces.
        bin_std: standard deviation within each bin.
        counts: faces per bin.
        mean: mean of the bins with faces, as reported in the 3DDFA literature.
        std: population standard deviation of those bins' means, reported as ±.
        plain: mean over all faces.
        plain_std: standard deviation over all faces.
    """

    bins: tuple[float, ...]
    bin_std: tuple[float, ...]
    counts: tuple[int, ...]
    mean: float
    std: float
    plain: float
    plain_std: float


def nme(predicted: Floats, truth: Floats, visible: Bools | None = None, size: Floats | None = None) -> Float64:
    """Compute the normalised mean error of landmarks.

    The mean 2D distance of the points, divided by sqrt(width * height) of the bounding box of the true points
    (3DDFA; AFLW2000-3D protocol).

    Args:
        predicted: (n, K, 2 or more) px.
        truth: (n, K, 2 or more) px.
        visible: (n, K) points that are scored, at least one per face; all by default.
        size: (n,) px, the normaliser; by default `box_size` of the truth.

    Returns:
        (n,) float64 in %.
    """
    distance = np.linalg.norm(_in_plane(predicted) - _in_plane(truth), axis=-1)
    return np.asarray(100 * _mean(distance, visible) / (box_size(truth) if size is None else size))


def box_size(points: Floats) -> Float64:
    """The size of a face, sqrt(width * height) of the bounding box of its points.

    Args:
        points: (n, K, 2 or more) px.

    Returns:
        (n,) float64 px.
    """
    return np.asarray(np.sqrt(np.prod(np.ptp(_in_plane(points), axis=1), axis=-1)))


def aligned(predicted: Floats, truth: Floats, visible: Bools | None = None) -> Float64:
    """Apply the scale and translation that fit each prediction best to the truth, in x and y.

    Args:
        predicted: (n, K, 2 or more) px.
        truth: (n, K, 2 or more) px.
        visible: (n, K) points used for the fit, at least two per face; all by default.

    Returns:
        (n, K, 2) float64 px.
    """
    predicted, truth = _in_plane(predicted), _in_plane(truth)
    weights = np.ones(truth.shape[:2]) if visible is None else np.asarray(visible, np.float64)
    weights = (weights / weights.sum(axis=1, keepdims=True))[..., None]
    p = predicted - (weights * predicted).sum(axis=1, keepdims=True)
    middle = (weights * truth).sum(axis=1, keepdims=True)
    scale = (weights * p * (truth - middle)).sum(axis=(1, 2)) / (weights * p * p).sum(axis=(1, 2))
    return np.asarray(scale[:, None, None] * p + middle)


def aligned_nme(predicted: Floats, truth: Floats) -> Float64:
    """Compute the NME after `aligned`: (n, K, 2 or more) px each to (n,) float64 in %."""
    return nme(aligned(predicted, truth), truth)


def summarise(errors: Floats, yaw_deg: Floats) -> Summary:
    """Average errors over the bins |yaw| <= 30, 30-60 and > 60 degrees.

    Args:
        errors: (n,), in any unit.
        yaw_deg: (n,) true yaw in degrees; faces of unknown yaw (NaN) are in no bin.

    Returns:
        The summary.
    """
    values: Float64 = np.asarray(errors, np.float64)
    index = np.where(np.isnan(yaw_deg), -1, np.digitize(np.abs(yaw_deg), _BIN_EDGES, right=True))
    chosen = [values[index == k] for k in range(len(BIN_NAMES))]
    means = tuple(_moments(part)[0] for part in chosen)
    mean, std = _moments(np.array([mean for mean in means if not np.isnan(mean)]))
    plain, plain_std = _moments(values)
    bin_std = tuple(_moments(part)[1] for part in chosen)
    return Summary(means, bin_std, tuple(len(part) for part in chosen), mean, std, plain, plain_std)


def _moments(values: Float64) -> tuple[float, float]:
    """Mean and population standard deviation; NaN of nothing."""
    return (float(values.mean()), float(values.std())) if len(values) else (float("nan"), float("nan"))


def _mean(values: Float64, visible: Bools | None) -> Float64:
    return np.asarray(values.mean(axis=-1) if visible is None else np.average(values, axis=-1, weights=visible))


def _in_plane(points: Floats) -> Float64:
    return np.asarray(points, np.float64)[..., :2]
