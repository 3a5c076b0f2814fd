"""What a face looked like in the frames before, so that a video does not flicker."""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32

_RISE: Final = 3.0  # what comes before the face does so faster than it goes


class TemporalState:
    """Running means of one face's quantities, by name."""

    def __init__(self) -> None:
        self._kept: dict[str, Float32] = {}
        self._asked: dict[str, int] = {}

    def due(self, name: str, period: int) -> bool:
        """Whether something that changes rarely is to be looked at in this frame: the first, and one in `period`."""
        asked = self._asked.get(name, 0)
        self._asked[name] = asked + 1
        return asked % period == 0

    def last(self, name: str) -> Float32:
        """The running mean of a quantity."""
        return self._kept[name]

    def __call__(self, name: str, value: Float32, share: float) -> Float32:
        """Mix a new value into the running mean.

        Args:
            name: of the quantity.
            value: now, of any shape.
            share: of the new value in the mean, in (0, 1].

        Returns:
            The mean; the value itself the first time.
        """
        old = self._kept.get(name)
        mean = value if old is None else np.asarray(old + share * (value - old), np.float32)
        self._kept[name] = mean
        return mean

    def mask(self, name: str, value: Float32, share: float) -> Float32:
        """The same for a mask (h, w) whose size may change; what appears does so faster than what vanishes."""
        old = self._kept.get(name)
        if old is not None:
            resized = cv2.resize(old, value.shape[::-1], interpolation=cv2.INTER_LINEAR)
            step = value - resized
            value = np.asarray(resized + np.where(step > 0, min(1.0, _RISE * share), share) * step, np.float32)
        self._kept[name] = value
        return value
