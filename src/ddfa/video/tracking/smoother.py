"""Temporal smoothing of one track: averaged identity, filtered pose and expression, with or without look-ahead."""

from collections import deque
from typing import Final, NamedTuple

import numpy as np

from ddfa.arrays import Float64
from ddfa.faces import Faces
from ddfa.person.compensation import IdentityCompensation
from ddfa.person.motion import Motion, motion_of, moved
from ddfa.video.tracking.filters import (
    OneEuro,
    RotationFilter,
    ValueFilter,
    line_weights,
    weighted_rotation,
    with_events,
)
from ddfa.video.tracking.identity import IdentityMean

# Tuned on a news clip and with `ddfa bench jitter --moved` (docs/video.md).
ROTATION: Final = OneEuro(cutoff=0.5, beta=0.08)  # beta: Hz per degree/s
TRANSLATION: Final = OneEuro(cutoff=0.4, beta=16.0)  # Hz per width of the RoI/s
SCALE: Final = OneEuro(cutoff=0.3, beta=3.0)  # Hz per e-fold/s
EXPRESSION: Final = OneEuro(cutoff=0.8, beta=2.0)  # Hz per full swing/s
# Of expression coefficients: a blink lasts only a few frames, which the window filter alone would remove.
NOISE, EVENT = 0.1, 0.25
STRETCH: Final = OneEuro(cutoff=0.3, beta=0.0)


class _Seen(NamedTuple):
    time: float
    face: Faces
    motion: Motion


class TrackSmoother:
    """Smooths one track.

    Args:
        compensation: compensates for changes of identity.
        look_ahead: frames by which the output is delayed; 0 for One-Euro filters, otherwise a window with so many
            frames on both sides is used.
    """

    def __init__(self, compensation: IdentityCompensation, look_ahead: int = 0) -> None:
        self._compensate, self._ahead = compensation, look_ahead
        self._identity = IdentityMean()
        self._window: deque[_Seen] = deque(maxlen=2 * look_ahead + 1)
        self._next = 0  # frames output so far
        self._count = 0
        self._rotation = RotationFilter(ROTATION)
        self._translation, self._scale = ValueFilter(TRANSLATION), ValueFilter(SCALE)
        self._expression, self._stretch = ValueFilter(EXPRESSION), ValueFilter(STRETCH)

    def add(self, time: float, face: Faces) -> Faces | None:
        """Add the next frame of the track.

        Args:
            time: seconds, increasing.
            face: one face as regressed.

        Returns:
            The smoothed face of this frame; with look-ahead that of the frame that many frames ago, or None.
        """
        # A profile shows little of the shape of the other half.
        weight = max(0.1, float(np.cos(np.deg2rad(face.euler_deg[0, 0]))) ** 2)
        self._identity.add(face.identity[0], weight)
        self._window.append(_Seen(time, face, motion_of(face)))
        self._count += 1
        return self._output() if self._count - self._next > self._ahead else None

    def finish(self) -> list[Faces]:
        """End the track: return the faces that are still delayed."""
        return [self._output() for _ in range(self._count - self._next)]

    def _output(self) -> Faces:
        place = len(self._window) - (self._count - self._next)
        self._next += 1
        here = self._window[place]
        motion = self._filtered(here) if not self._ahead else self._averaged(place)
        return moved(here.face, motion, self._identity.identity)

    def _same_person(self, seen: _Seen) -> Motion:
        """The motion of a frame for the averaged identity."""
        return self._compensate(seen.motion, seen.face.identity[0] - self._identity.identity)

    def _filtered(self, seen: _Seen) -> Motion:
        motion, time = self._same_person(seen), seen.time
        side = float(seen.face.roi[0, 2] - seen.face.roi[0, 0])
        return Motion(
            rotation=self._rotation(motion.rotation, time),
            scale=float(np.exp(self._scale(np.log([motion.scale]), time)[0])),
            translation=self._translation(motion.translation, time, side),
            stretch=self._stretch(motion.stretch, time),
            expression=self._expression(motion.expression, time),
        )

    def _averaged(self, place: int) -> Motion:
        reach = min(self._ahead, place)
        seen = list(self._window)[place - reach : place + self._ahead + 1]
        times = np.array([one.time for one in seen])
        step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
        weights = line_weights(times, self._window[place].time, 0.5 * max(self._ahead, 1) * step)
        motions = [self._same_person(one) for one in seen]

        def mean(values: list[Float64]) -> Float64:
            return np.asarray(np.tensordot(weights, np.stack(values), 1))

        return Motion(
            rotation=weighted_rotation(np.stack([m.rotation for m in motions]), weights, motions[reach].rotation),
            scale=float(np.exp(mean([np.log(np.array(m.scale)) for m in motions]))),
            translation=mean([m.translation for m in motions]),
            stretch=mean([m.stretch for m in motions]),
            expression=with_events(mean([m.expression for m in motions]), motions[reach].expression, NOISE, EVENT),
        )
