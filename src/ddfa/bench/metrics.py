"""Landmark error: NME, its variant after alignment, and the summary over yaw bins."""

from dataclasses import dataclass

import numpy as np

from ddfa.arrays import Float64, Floats

# Upper ends of the bins of |yaw|, degrees; the last bin is open.
_BIN_EDGES = (30.0, 60.0)
BIN_NAMES = ("|yaw| <= 30", "30-60", "> 60")


@dataclass(frozen=True)
class Summary:
    """NME over a data set, in %.

    Attributes:
        bins: mean NME of the three yaw bins; NaN for a bin without faces.
        counts: faces per bin.
        mean: mean of the bins that hold faces, the figure the literature reports.
        plain: mean over all faces.
    """

    bins: tuple[float, ...]
    counts: tuple[int, ...]
    mean: float
    plain: float


def nme(predicted: Floats, truth: Floats) -> Float64:
    """Compute the normalised mean error of landmarks.

    The mean distance in x and y over the points, divided by sqrt(width * height) of the box around the true points
    (3DDFA; AFLW2000-3D protocol).

    Args:
        predicted: (n, K, 2 or more) px.
        truth: (n, K, 2 or more) px.

    Returns:
        (n,) float64 in %.
    """
    predicted, truth = _in_plane(predicted), _in_plane(truth)
    distance = np.linalg.norm(predicted - truth, axis=-1).mean(axis=-1)
    return np.asarray(100 * distance / np.sqrt(np.prod(np.ptp(truth, axis=1), axis=-1)))


def aligned_nme(predicted: Floats, truth: Floats) -> Float64:
    """Compute the NME after the scale and translation that fit the prediction best to the truth.

    Args:
        predicted: (n, K, 2 or more) px.
        truth: (n, K, 2 or more) px.

    Returns:
        (n,) float64 in %.
    """
    predicted, truth = _in_plane(predicted), _in_plane(truth)
    middle = truth.mean(axis=1, keepdims=True)
    p, t = predicted - predicted.mean(axis=1, keepdims=True), truth - middle
    scale = (p * t).sum(axis=(1, 2)) / (p * p).sum(axis=(1, 2))
    return nme(scale[:, None, None] * p + middle, truth)


def summarise(errors: Floats, yaw_deg: Floats) -> Summary:
    """Average errors over the bins |yaw| <= 30, 30-60 and > 60 degrees.

    Args:
        errors: (n,) NME in %.
        yaw_deg: (n,) true yaw in degrees.

    Returns:
        The summary.
    """
    index = np.digitize(np.abs(yaw_deg), _BIN_EDGES, right=True)
    chosen = [np.asarray(errors, np.float64)[index == k] for k in range(len(BIN_NAMES))]
    means = [float(values.mean()) if len(values) else float("nan") for values in chosen]
    filled = [mean for mean in means if not np.isnan(mean)]
    return Summary(
        bins=tuple(means),
        counts=tuple(len(values) for values in chosen),
        mean=float(np.mean(filled)) if filled else float("nan"),
        plain=float(np.mean(errors)) if len(errors) else float("nan"),
    )


def _in_plane(points: Floats) -> Float64:
    return np.asarray(points, np.float64)[..., :2]
