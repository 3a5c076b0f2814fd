"""Calibration: the pose and expression of a person at rest, relative to which motions are sent and stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ddfa.arrays import Float32, Float64
from ddfa.video.motion.motion import Motion


@dataclass(frozen=True, eq=False)
class NeutralPose:
    """The pose and expression of a person at rest.

    Attributes:
        weights: (52,) float32 blendshapes at rest.
        rotation: (3, 3) float64 head to camera at rest.
        position: (3,) float64 position at rest, metres.
    """

    weights: Float32
    rotation: Float64
    position: Float64

    @staticmethod
    def of(motions: Sequence[Motion]) -> "NeutralPose":
        """Average motions during which the person is at rest.

        Args:
            motions: at least one, in camera axes.

        Returns:
            Medians of weights and position, so that a blink does not count, and the mean of the rotations: the rotation
            nearest to the arithmetic mean of the matrices.
        """
        u, _, vt = np.linalg.svd(np.mean([motion.rotation for motion in motions], axis=0))
        return NeutralPose(
            np.median([motion.weights for motion in motions], axis=0).astype(np.float32),
            u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt,
            np.median([motion.position for motion in motions], axis=0),
        )

    def relative(self, motion: Motion) -> Motion:
        """Express a motion relative to the pose at rest, in the axes of the head at rest.

        Args:
            motion: in camera axes.

        Returns:
            The motion: the identity, the origin and weights of 0 at rest. Weights above those at rest are stretched, so
            that 1 stays 1; those below are 0.
        """
        to_rest = self.rotation.T
        room = np.maximum(1.0 - self.weights, 1e-6)
        return replace(
            motion,
            weights=np.clip((motion.weights - self.weights) / room, 0.0, 1.0).astype(np.float32),
            rotation=to_rest @ motion.rotation,
            position=to_rest @ (motion.position - self.position),
        )


def at_first_position(motion: Motion) -> NeutralPose:
    """The pose that calibrates nothing but the position: camera axes, the origin where the person is first seen."""
    return NeutralPose(np.zeros_like(motion.weights), np.eye(3), motion.position)
