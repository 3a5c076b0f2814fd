"""Points that depend linearly on identity and expression coefficients."""

from dataclasses import dataclass

import numpy as np

from ddfa.arrays import Float32, Floats
from ddfa.errors import ModelError


@dataclass(frozen=True)
class LinearPoints:
    """K points of a head as a linear function of its coefficients.

    Attributes:
        mean: (K, 3) float32, head units.
        bases: (I + E, K, 3) float32, identity modes first.
        identities: I, the number of identity modes.
    """

    mean: Float32
    bases: Float32
    identities: int

    def decode(self, identity: Floats, expression: Floats) -> Float32:
        """Evaluate the points.

        Missing trailing coefficients count as zero.

        Args:
            identity: (n, i <= I) coefficients.
            expression: (n, e <= E) coefficients.

        Returns:
            (n, K, 3) float32, head units.

        Raises:
            ModelError: more coefficients than modes, or batch sizes that differ.
        """
        i, e = identity.shape[1], expression.shape[1]
        expressions = len(self.bases) - self.identities
        if i > self.identities or e > expressions or len(identity) != len(expression):
            raise ModelError(
                f"coefficients {identity.shape} and {expression.shape} do not fit a head with "
                f"{self.identities} identity and {expressions} expression modes"
            )
        coefficients = np.zeros((len(identity), len(self.bases)), np.float32)
        coefficients[:, :i] = identity
        coefficients[:, self.identities : self.identities + e] = expression
        points = coefficients @ self.bases.reshape(len(self.bases), -1)
        points += self.mean.reshape(-1)
        return points.reshape(len(points), *self.mean.shape)
