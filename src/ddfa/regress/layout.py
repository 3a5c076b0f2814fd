"""The layout of a parameter vector: pose, identity, expression."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ddfa.arrays import Float32, Floats
from ddfa.errors import ModelError

POSE = 12


class ParamParts(NamedTuple):
    """Parameter vectors split into their parts.

    Attributes:
        pose: (n, 3, 4) float32 camera matrices [P | t], P in crop px per head unit, t in crop px, y up.
        identity: (n, I) float32.
        expression: (n, E) float32.
    """

    pose: Float32
    identity: Float32
    expression: Float32


@dataclass(frozen=True)
class ParamLayout:
    """The layout [12 pose: row-major 3x4 of P | t] + identity + expression.

    Attributes:
        identity: number of identity coefficients (open 80, original 3DDFA 40).
        expression: number of expression coefficients (open 52, original 3DDFA 10).
    """

    identity: int = 80
    expression: int = 52

    @property
    def size(self) -> int:
        """The length P of a parameter vector."""
        return POSE + self.identity + self.expression

    def split(self, params: Floats) -> ParamParts:
        """Split parameter vectors.

        Args:
            params: (n, P), de-whitened.

        Returns:
            Pose, identity and expression.

        Raises:
            ModelError: vectors of another length.
        """
        params = np.asarray(params, np.float32)
        if params.ndim != 2 or params.shape[1] != self.size:
            raise ModelError(f"parameters are {params.shape}, this layout needs (n, {self.size})")
        pose, identity, expression = np.split(params, [POSE, POSE + self.identity], axis=1)
        return ParamParts(pose.reshape(-1, 3, 4), identity, expression)

    def join(self, pose: Floats, identity: Floats, expression: Floats) -> Float32:
        """Join the parts of parameter vectors: the inverse of `split`.

        Args:
            pose: (n, 3, 4).
            identity: (n, I).
            expression: (n, E).

        Returns:
            (n, P) float32.

        Raises:
            ModelError: parts of another length.
        """
        params = np.concatenate([pose.reshape(-1, POSE), identity, expression], axis=1).astype(np.float32)
        if params.shape[1] != self.size:
            raise ModelError(f"parameters are {params.shape}, this layout needs (n, {self.size})")
        return params
