"""One identity per track: identity coefficients are averaged over frames, since a person's shape is constant.

When the identity of a frame is replaced by the average, pose and expression compensate for the difference as far as
they can (`IdentityCompensation`), so that the face stays where the frame shows it.
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

_MOST: Final = 400.0  # frames in the mean, 16 s at 25 frames/s; then old frames lose weight exponentially
_OUTLIER: Final = 1.5  # times the usual distance, beyond which a frame has less weight (Huber)
_RIDGE: Final = 0.05  # regularisation of expressions, relative to the mean squared motion of one unit
_POSE: Final = 7  # rotation, translation and scale, see `small_motions`


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
            rotation=motion.rotation @ rotations(change[0:3]),
            scale=motion.scale * (1 + float(change[6])),
            translation=motion.translation + motion.matrix @ change[3:6],
            expression=motion.expression + change[_POSE:],
        )
