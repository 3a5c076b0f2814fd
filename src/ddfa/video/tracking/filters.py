"""Filters for values and rotations over time: One-Euro for the moment, a window for recordings.

The One-Euro filter (Casiez, Roussel, Vogel, "1€ Filter", CHI 2012) is a low pass whose cutoff grows with speed: what
rests is held still, what moves is let through. A rotation is filtered in SO(3): the step from the last to the new one
is shortened along the shortest arc. The window fits a line to the values around a moment, weighted by a Gaussian: no
lag, neither at rest nor at steady speed.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from ddfa.arrays import Float64, Floats


@dataclass(frozen=True)
class OneEuro:
    """How strongly a One-Euro filter smooths.

    Attributes:
        cutoff: Hz at rest; lower is calmer.
        beta: Hz more per unit per second; higher lags less.
        speed_cutoff: Hz of the low pass on the speed itself.
    """

    cutoff: float
    beta: float
    speed_cutoff: float = 1.0


class ValueFilter:
    """A One-Euro filter for arrays, each number for itself.

    Args:
        settings: how strongly.
    """

    def __init__(self, settings: OneEuro) -> None:
        self._settings = settings
        self._value: Float64 | None = None
        self._speed: Float64 = np.zeros(1)
        self._time = 0.0

    def __call__(self, value: Floats, time: float, unit: float = 1.0) -> Float64:
        """Filter the next value.

        Args:
            value: of any shape, always the same.
            time: seconds, growing.
            unit: what counts as one unit of the value; the speed is measured in it.

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
    """A One-Euro filter for rotations; its unit is the degree.

    Args:
        settings: how strongly.
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
            time: seconds, growing.

        Returns:
            (3, 3) float64.
        """
        new = np.asarray(rotation, np.float64)
        if self._rotation is None:
            self._rotation, self._time = new, time
            return new
        step = max(time - self._time, 1e-6)
        arc = rotation_vectors(self._rotation.T @ new)
        # A vector, so that noise to and fro cancels; taken in degrees per second.
        speed = np.rad2deg(arc) / step
        self._speed = self._speed + smoothing(self._settings.speed_cutoff, step) * (speed - self._speed)
        cutoff = self._settings.cutoff + self._settings.beta * float(np.linalg.norm(self._speed))
        self._rotation = self._rotation @ rotations(smoothing(cutoff, step) * arc)
        self._time = time
        return self._rotation


def smoothing(cutoff: float | Float64, step: float) -> Float64:
    """The share of a new value in a first-order low pass of a cutoff (Hz), `step` seconds after the last."""
    ratio = np.asarray(2 * np.pi * cutoff * step)
    return np.asarray(ratio / (1 + ratio))


def line_weights(times: Floats, at: float, width: float) -> Float64:
    """Weights that fit a line to values at some times, by Gaussian-weighted least squares, and read it at one time.

    Args:
        times: (n,) seconds.
        at: the time to read at, s.
        width: standard deviation of the Gaussian around it, s.

    Returns:
        (n,) float64 that sum to 1; of values linear in time they make exactly the value at `at`.
    """
    distance = np.asarray(times, np.float64) - at
    weight = np.exp(-0.5 * (distance / width) ** 2)
    total, first, second = (float((weight * distance**k).sum()) for k in (0, 1, 2))
    spread = total * second - first**2
    if spread <= 1e-9 * total**2 * width**2:  # all at one time: nothing to draw a line through
        return np.asarray(weight / total)
    return np.asarray(weight * (second - first * distance) / spread)


def weighted_rotation(all_rotations: Floats, weights: Floats, centre: Floats) -> Float64:
    """Average rotations near a centre, in the tangent space there.

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
    """Rotations (..., 3, 3) to axis times angle in radians (..., 3)."""
    return np.asarray(Rotation.from_matrix(matrices).as_rotvec(), np.float64)


def rotations(vectors: Float64) -> Float64:
    """Axis times angle in radians (..., 3) to rotations (..., 3, 3)."""
    return np.asarray(Rotation.from_rotvec(vectors).as_matrix(), np.float64)
