"""The identity of a person does not change from frame to frame: it settles on what most frames say.

When the identity of a frame is replaced by the settled one, pose and expression take over what they can of the
difference (`IdentityCompensation`), so that the face stays where the frame shows it.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from ddfa.arrays import Float64, Floats
from ddfa.geometry.pose import small_motions
from ddfa.head.model import HeadModel
from ddfa.regress.layout import ParamLayout
from ddfa.video.tracking.filters import rotations
from ddfa.video.tracking.motion import Motion

_MOST: Final = 400.0  # frames that count at most; then the oldest fade, at 25 frames/s over a quarter of a minute
_OUTLIER: Final = 1.5  # times the usual distance from which a frame counts less (Huber)
_RIDGE: Final = 0.05  # what an expression costs, over the mean square of what one unit moves
_POSE: Final = 7  # turns, shifts and growth, as of `small_motions`


class IdentityMean:
    """A running mean of identity coefficients that outliers hardly move.

    Attributes:
        identity: (I,) float64, the mean so far.
    """

    def __init__(self) -> None:
        self.identity: Float64 = np.zeros(0)
        self._weight = 0.0
        self._usual = 0.0

    def add(self, identity: Floats, weight: float = 1.0) -> Float64:
        """Take in the identity of one more frame.

        Args:
            identity: (I,) coefficients.
            weight: how much the frame tells, at most 1: a frontal face more than a profile.

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


class IdentityCompensation:
    """Turns a difference in identity into the expression and pose that come closest on the 68 landmarks.

    Args:
        head: the head model.
        layout: which of its coefficients are in use.
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
        # The pose moves are of very different units; scaling each to 1 keeps the solution exact.
        unit = np.sqrt(np.diag(gram) + cost) + 1e-12
        solved = np.linalg.lstsq((gram + np.diag(cost)) / np.outer(unit, unit), (system / unit[:, None]), rcond=1e-10)
        self._map = (solved[0] / unit[:, None]) @ identities.T

    def __call__(self, motion: Motion, difference: Floats) -> Motion:
        """Change pose and expression to make up for an identity that is taken away.

        Args:
            motion: with the identity of its frame.
            difference: (I,) that identity minus the new one.

        Returns:
            The motion to go with the new identity.
        """
        change = self._map @ np.asarray(difference, np.float64)
        return replace(
            motion,
            rotation=motion.rotation @ rotations(change[0:3]),
            scale=motion.scale * (1 + float(change[6])),
            translation=motion.translation + motion.matrix @ change[3:6],
            expression=motion.expression + change[_POSE:],
        )
