"""One identity per track: identity coefficients are averaged over frames, since a person's shape is constant."""

from typing import Final

import numpy as np

from ddfa.arrays import Float64, Floats

_MOST: Final = 400.0  # frames in the mean, 16 s at 25 frames/s; then old frames lose weight exponentially
_OUTLIER: Final = 1.5  # times the usual distance, beyond which a frame has less weight (Huber)


class IdentityMean:
    """A running mean of identity coefficients, robust to outliers.

    Attributes:
        identity: (I,) float64, the mean so far.
    """

    def __init__(self) -> None:
        self.identity: Float64 = np.zeros(0)
        self._weight = 0.0
        self._usual = 0.0

    def add(self, identity: Floats, weight: float = 1.0) -> Float64:
        """Add the identity of another frame.

        Args:
            identity: (I,) coefficients.
            weight: at most 1: higher for a frontal face than for a profile.

        Returns:
            (I,) float64, the mean.
        """
        new = np.asarray(identity, np.float64)
        if not self._weight:
            self.identity, self._weight = new, weight
            return new
        distance = float(np.linalg.norm(new - self.identity))
        if self._usual and distance > _OUTLIER * self._usual:
            weight *= _OUTLIER * self._usual / distance
        self._usual = distance if not self._usual else 0.95 * self._usual + 0.05 * min(distance, 3 * self._usual)
        self._weight = min(self._weight + weight, _MOST)
        self.identity = self.identity + weight / self._weight * (new - self.identity)
        return self.identity
