"""Similarity transforms between point sets, by the least-squares solution of Umeyama (1991).

S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 13(4), 1991.
"""

from typing import NamedTuple

import numpy as np

from ddfa.arrays import Float64, Floats
from ddfa.geometry.pose import nearest_rotation


class Similarity(NamedTuple):
    """The map x -> scale * rotation @ x + translation; one, or a batch along leading axes.

    Attributes:
        scale: (...,) float64.
        rotation: (..., 3, 3) float64, determinant +1.
        translation: (..., 3) float64.
    """

    scale: Float64
    rotation: Float64
    translation: Float64

    def apply(self, points: Floats) -> Float64:
        """Map points (..., K, 3)."""
        linear = np.asarray(self.scale)[..., None, None] * self.rotation
        return np.asarray(points @ np.swapaxes(linear, -1, -2) + self.translation[..., None, :], np.float64)


def fit_similarity(source: Floats, target: Floats, weights: Floats | None = None) -> Similarity:
    """Fit the similarity that maps source to target points with the least weighted squared error.

    Args:
        source: (..., K, 3).
        target: (..., K, 3).
        weights: (K,) weight of each point; equal by default.

    Returns:
        One similarity per point set, float64.
    """
    w = np.ones(source.shape[-2]) if weights is None else np.asarray(weights, np.float64)
    w = w / w.sum()
    # With the centroids at the origin, rotation and scale do not depend on the translation.
    source_mean, target_mean = (np.einsum("k,...kj->...j", w, points) for points in (source, target))
    centred = np.asarray(source - source_mean[..., None, :], np.float64)
    target_centred = np.asarray(target - target_mean[..., None, :], np.float64)
    covariance = np.einsum("k,...ki,...kj->...ij", w, target_centred, centred, optimize=True)
    # The nearest rotation, never a reflection: a mirrored face must not be explained by a mirrored head.
    rotation = nearest_rotation(covariance)
    variance = np.einsum("k,...kj,...kj->...", w, centred, centred, optimize=True)
    # Umeyama's tr(D S) / variance: the trace of R^T times the covariance is the sum of the signed singular values.
    scale = np.einsum("...ij,...ij->...", covariance, rotation) / variance
    translation = target_mean - scale[..., None] * np.einsum("...ij,...j->...i", rotation, source_mean)
    return Similarity(np.asarray(scale), rotation, translation)
