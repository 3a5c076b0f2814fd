"""The irises of a head beside its 68 landmarks."""

import numpy as np

from ddfa.arrays import Float32
from ddfa.head.linear import LinearPoints
from ddfa.head.model import HeadModel


def landmarks_and_irises(head: HeadModel) -> LinearPoints | None:
    """The 68 landmarks, then the centres of the right and the left iris: 70 points; None for a head without irises."""
    found = [head.regions.get(f"iris_{side}") for side in ("right", "left")]
    irises = [iris for iris in found if iris is not None and iris.any()]
    if len(irises) < len(found):
        return None
    landmarks = head.landmark_points

    def centres(points: Float32) -> Float32:
        """Centres (..., 2, 3) of the irises, of the vertices (..., V, 3)."""
        return np.stack([points[..., iris, :].mean(axis=-2) for iris in irises], axis=-2)

    mean = np.concatenate([landmarks.mean, centres(head.mean)])
    bases = np.concatenate([landmarks.bases, centres(head.points.bases)], axis=1)
    return LinearPoints(mean, bases, landmarks.identities)
