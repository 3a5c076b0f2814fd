"""Whitening of parameters: networks regress values with mean 0 and standard deviation 1."""

from dataclasses import dataclass

import numpy as np

from ddfa.arrays import Float32, Floats
from ddfa.errors import ModelError


@dataclass(frozen=True, eq=False)
class Whitening:
    """Mean and standard deviation of the parameters over the training set.

    Attributes:
        mean: (P,) float32.
        std: (P,) float32, positive.

    Raises:
        ModelError: the shapes differ, a value is not finite or a standard deviation is not positive.
    """

    mean: Float32
    std: Float32

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.mean.shape != self.std.shape:
            raise ModelError(f"whitening mean {self.mean.shape} and std {self.std.shape} must be vectors of one length")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.std).all() and (self.std > 0).all()):
            raise ModelError("whitening must be finite and its standard deviations positive")

    def whiten(self, params: Floats) -> Float32:
        """Map (n, P) parameters to (n, P) whitened float32."""
        return np.asarray((params - self.mean) / self.std, np.float32)

    def dewhiten(self, whitened: Floats) -> Float32:
        """Map (n, P) whitened parameters back to (n, P) float32."""
        return np.asarray(whitened * self.std + self.mean, np.float32)
