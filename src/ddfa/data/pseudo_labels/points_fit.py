"""Fits moved towards the inner landmarks that `points_teacher` networks predict."""

from dataclasses import replace
from typing import Final

import numpy as np

from ddfa.arrays import Float32, Float64, Floats
from ddfa.data.pseudo_labels.fit import Fit, FitConstraints, FitOptions, fit
from ddfa.data.pseudo_labels.points_teacher import JAW
from ddfa.geometry.camera import project
from ddfa.head.model import HeadModel

WEIGHT: Final = 0.35
# Upper and lower landmarks of eyelids and inner lips. Only their means are moved: the mesh teacher sees the apertures
# better, and networks of 98 points see closed mouths open.
_APERTURES: Final = ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65))
_OPTIONS: Final = FitOptions(iterations=4, independent_points=600.0)
_EXPRESSION_STD: Final = 0.005  # the expression does not change


def fit_points(head: HeadModel, found: Fit, seen: Floats, weight: float) -> Fit:
    """Move fits towards predictions of their inner landmarks by pose and identity, with the expression held.

    The targets are the fitted landmarks; the inner ones are mixed with the predictions in x and y. Those of the jaw
    stay, so that the refitted head keeps its outline.

    Args:
        head: our head.
        found: n fits.
        seen: (n, 51, 2) predicted landmarks 17 to 67, image px.
        weight: of the predictions in the mixture, 0 to 1.

    Returns:
        The fits; `residual` is that of the given ones.
    """
    aims = _landmarks(head, found)
    aims[:, JAW:, :2] += weight * _shifts(aims, seen)
    points = head.landmark_points
    std = np.full(found.expression.shape[1], _EXPRESSION_STD)
    hints = FitConstraints.prior(points, found.expression, std, found.identity)
    moved = fit(points, aims, np.ones(len(points.mean)), head.identity_std, _OPTIONS, hints)
    return replace(moved, expression=found.expression, residual=found.residual)


def disagreement(head: HeadModel, found: Fit, seen: Floats) -> Float32:
    """Mean distance (n,) of the inner landmarks of fits from predictions (n, 51, 2), as a share of the face size."""
    landmarks = _landmarks(head, found)[..., :2]
    size = np.sqrt(np.prod(np.ptp(landmarks, axis=1), axis=-1))
    return np.asarray(np.linalg.norm(landmarks[:, JAW:] - seen, axis=-1).mean(axis=1) / size, np.float32)


def _shifts(landmarks: Float64, seen: Floats) -> Float64:
    """Shifts (n, 51, 2) of the inner landmarks to predictions (n, 51, 2); those of an aperture share their mean."""
    shifts = np.asarray(seen - landmarks[:, JAW:, :2], np.float64)
    for pair in _APERTURES:
        index = np.array(pair) - JAW
        shifts[:, index] = shifts[:, index].mean(axis=1, keepdims=True)
    return shifts


def _landmarks(head: HeadModel, found: Fit) -> Float64:
    """The 68 landmarks (n, 68, 3) of fits, image space."""
    return np.asarray(project(head.decode_landmarks(found.identity, found.expression), found.pose), np.float64)
