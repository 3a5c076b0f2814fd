"""Temporal filters for values and rotations: One-Euro filters for live input, window filters for recordings.

The One-Euro filter (Casiez, Roussel, Vogel, "1€ Filter", CHI 2012) is a low-pass filter whose cutoff grows with speed:
it smooths strongly at rest and lags little in motion. Rotations are filtered in SO(3): the step from the last filtered
to the new rotation is shortened along the geodesic. The window filter is a local linear regression with Gaussian
weights: it has no lag, neither at rest nor at constant speed.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from ddfa.arrays import Float64, Floats


@dataclass(frozen=True)
class OneEuro:
    """Settings of a One-Euro filter.

    Attributes:
        cutoff: Hz, at rest; lower smooths more.
        beta: Hz per unit per second by which the cutoff grows with speed; higher lags less.
        speed_cutoff: Hz, of the low-pass filter of the speed.
    """

    cutoff: float
    beta: float
    speed_cutoff: float = 1.0


class ValueFilter:
    """A One-Euro filter for arrays, element by element.

    Args:
        settings: cutoffs.
    """

    def __init__(self, settings: OneEuro) -> None:
        self._settings = settings
        self._value: Float64 | None = None
        self._speed: Float64 = np.zeros(1)
        self._time = 0.0

    def __call__(self, value: Floats, time: float, unit: float = 1.0) -> Float64:
        """Filter the next value.

        Args:
            value: an array of any shape, the same in each call.
            time: seconds, increasing.
            unit: unit of the value in which the speed is measured.

        Returns:
            The filtered value, float64.
        """
        new = np.asarray(value, np.float64)
        if self._value is None:
            self._value, self._speed, self._time = new, np.zeros_like(new), time
            return new
        step = max(time - self._time, 1e-6)
        speed = (new - self._value) / (unit * step)
        self._speed = self._speed + smoothing(self._settings.speed_cutoff, step) * (speed - self._speed)
        cutoff = self._settings.cutoff + self._settings.beta * np.abs(self._speed)
        self._value = self._value + smoothing(cutoff, step) * (new - self._value)
        self._time = time
        return self._value


class RotationFilter:
    """A One-Euro filter for rotations; speeds are in degrees per second.

    Args:
        settings: cutoffs.
    """

    def __init__(self, settings: OneEuro) -> None:
        self._settings = settings
        self._rotation: Float64 | None = None
        self._speed: Float64 = np.zeros(3)
        self._time = 0.0

    def __call__(self, rotation: Floats, time: float) -> Float64:
        """Filter the next rotation.

        Args:
            rotation: (3, 3).
            time: seconds, increasing.

        Returns:
            (3, 3) float64.
        """
        new = np.asarray(rotation, np.float64)
        if self._rotation is None:
            self._rotation, self._time = new, time
            return new
        step = max(time - self._time, 1e-6)
        arc = rotation_vectors(self._rotation.T @ new)
        # The speed is filtered as a vector, degrees/s, so that noise in opposite directions cancels.
        speed = np.rad2deg(arc) / step
        self._speed = self._speed + smoothing(self._settings.speed_cutoff, step) * (speed - self._speed)
        cutoff = self._settings.cutoff + self._settings.beta * float(np.linalg.norm(self._speed))
        self._rotation = self._rotation @ rotations(smoothing(cutoff, step) * arc)
        self._time = time
        return self._rotation


def smoothing(cutoff: float | Float64, step: float) -> Float64:
    """The weight of a new value in a first-order low-pass filter with a cutoff in Hz, `step` seconds after the last."""
    ratio = np.asarray(2 * np.pi * cutoff * step)
    return np.asarray(ratio / (1 + ratio))


def line_weights(times: Floats, at: float, width: float) -> Float64:
    """Weights of a local linear regression: the value at one time of a line fitted with Gaussian weights.

    Args:
        times: (n,) seconds.
        at: the time at which the line is evaluated, s.
        width: standard deviation of the Gaussian around that time, s.

    Returns:
        (n,) float64 that sum to 1; for values linear in time the weighted sum is exactly the value at `at`.
    """
    distance = np.asarray(times, np.float64) - at
    weight = np.exp(-0.5 * (distance / width) ** 2)
    total, first, second = (float((weight * distance**k).sum()) for k in (0, 1, 2))
    spread = total * second - first**2
    if spread <= 1e-9 * total**2 * width**2:  # all at one time: a line is not defined
        return np.asarray(weight / total)
    return np.asarray(weight * (second - first * distance) / spread)


def with_events(smoothed: Floats, raw: Floats, noise: float, event: float) -> Float64:
    """Undo smoothing where it removes more than noise, so that events shorter than the window remain.

    Args:
        smoothed: values after smoothing, an array of any shape.
        raw: the same values before.
        noise: difference up to which the smoothed value is used.
        event: difference from which on the raw one is used; in between they are blended linearly.

    Returns:
        The values, float64.
    """
    removed = np.asarray(raw, np.float64) - smoothed
    share = ((np.abs(removed) - noise) / (event - noise)).clip(0, 1)
    return np.asarray(smoothed + share * removed)


def weighted_rotation(all_rotations: Floats, weights: Floats, centre: Floats) -> Float64:
    """Average rotations in the tangent space at one of them.

    Args:
        all_rotations: (n, 3, 3).
        weights: (n,) that sum to 1; some may be negative.
        centre: (3, 3), one of them.

    Returns:
        (3, 3) float64.
    """
    base = np.asarray(centre, np.float64)
    arcs = rotation_vectors(base.T @ np.asarray(all_rotations, np.float64))
    return np.asarray(base @ rotations(np.asarray(weights, np.float64) @ arcs))


def rotation_vectors(matrices: Float64) -> Float64:
    """Convert rotation matrices (..., 3, 3) to rotation vectors (..., 3), radians."""
    return np.asarray(Rotation.from_matrix(matrices).as_rotvec(), np.float64)


def rotations(vectors: Float64) -> Float64:
    """Convert rotation vectors (..., 3), radians, to rotation matrices (..., 3, 3)."""
    return np.asarray(Rotation.from_rotvec(vectors).as_matrix(), np.float64)
