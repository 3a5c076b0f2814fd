"""Pose and expression of a face when its identity is replaced: the face stays where its image shows it."""

from dataclasses import replace
from typing import Final

import numpy as np

from ddfa.arrays import Floats
from ddfa.geometry.pose import small_motions
from ddfa.geometry.rotation import matrix_from_vector
from ddfa.head.model import HeadModel
from ddfa.person.motion import Motion
from ddfa.regress.layout import ParamLayout

_RIDGE: Final = 0.05  # regularisation of expressions, relative to the mean squared motion of one unit
_POSE: Final = 7  # rotation, translation and scale, see `small_motions`


class IdentityCompensation:
    """Maps a change of identity to the changes of pose and expression that best fit it on the 68 landmarks.

    Args:
        head: the head model.
        layout: how many of its coefficients are used.
    """

    def __init__(self, head: HeadModel, layout: ParamLayout) -> None:
        points = head.landmark_points
        mean = np.asarray(points.mean, np.float64)
        identities = np.asarray(points.bases[: layout.identity], np.float64).reshape(layout.identity, -1)
        units = points.bases[points.identities : points.identities + layout.expression]
        expressions = np.asarray(units, np.float64).reshape(layout.expression, -1)
        system = np.concatenate([small_motions(mean), expressions])
        gram = system @ system.T
        cost = np.zeros(len(system))
        cost[_POSE:] = _RIDGE * np.square(expressions).sum(axis=1).mean()
        # Pose parameters have very different units: scaling each to 1 conditions the system.
        unit = np.sqrt(np.diag(gram) + cost) + 1e-12
        solved = np.linalg.lstsq((gram + np.diag(cost)) / np.outer(unit, unit), (system / unit[:, None]), rcond=1e-10)
        self._map = (solved[0] / unit[:, None]) @ identities.T

    def __call__(self, motion: Motion, difference: Floats) -> Motion:
        """Change pose and expression to compensate for a change of identity.

        Args:
            motion: of a frame, with the identity of that frame.
            difference: (I,) identity of the frame minus the new identity.

        Returns:
            The motion for the new identity.
        """
        change = self._map @ np.asarray(difference, np.float64)
        return replace(
            motion,
            rotation=motion.rotation @ matrix_from_vector(change[0:3]),
            scale=motion.scale * (1 + float(change[6])),
            translation=motion.translation + motion.matrix @ change[3:6],
            expression=motion.expression + change[_POSE:],
        )
