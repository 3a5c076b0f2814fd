"""Temporal smoothing of a replacement: running means of one face's quantities over the frames of a video."""

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32

_RISE: Final = 3.0  # masks appear faster than they disappear by this factor


_CALLS: Final = "calls of "  # begins the name of a counter among the arrays of a state


class TemporalState:
    """Running means of one face's quantities, by name; empty for the first frame and for photos."""

    def __init__(self) -> None:
        self._means: dict[str, Float32] = {}
        self._calls: dict[str, int] = {}

    @property
    def arrays(self) -> dict[str, Float32]:
        """The state as arrays, see `of`; they are never changed."""
        calls = {f"{_CALLS}{name}": np.array(count, np.float32) for name, count in self._calls.items()}
        return {**self._means, **calls}

    @staticmethod
    def of(arrays: Mapping[str, Float32]) -> "TemporalState":
        """The state with the given arrays."""
        state = TemporalState()
        for name, value in arrays.items():
            if name.startswith(_CALLS):
                state._calls[name.removeprefix(_CALLS)] = int(value)
            else:
                state._means[name] = value
        return state

    def due(self, name: str, period: int) -> bool:
        """Whether a quantity that changes slowly is measured in this frame: in the first and in every `period`-th."""
        calls = self._calls.get(name, 0)
        self._calls[name] = calls + 1
        return calls % period == 0

    def last(self, name: str) -> Float32:
        """Current running mean of a quantity."""
        return self._means[name]

    def __call__(self, name: str, value: Float32, share: float) -> Float32:
        """Update the running mean (exponential moving average).

        Args:
            name: name of the quantity.
            value: value in this frame, any shape.
            share: weight of the new value, in (0, 1].

        Returns:
            The mean; in the first frame the value itself.
        """
        old = self._means.get(name)
        mean = value if old is None else np.asarray(old + share * (value - old), np.float32)
        self._means[name] = mean
        return mean

    def mask(self, name: str, value: Float32, share: float) -> Float32:
        """The same for a mask (h, w), which is resized to the new size; it rises faster than it falls."""
        old = self._means.get(name)
        if old is not None:
            resized = cv2.resize(old, value.shape[::-1], interpolation=cv2.INTER_LINEAR)
            step = value - resized
            value = np.asarray(resized + np.where(step > 0, min(1.0, _RISE * share), share) * step, np.float32)
        self._means[name] = value
        return value
