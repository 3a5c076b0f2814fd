"""A track: one person in a video, in view or lost."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from ddfa.arrays import Float32, Float64, Floats
from ddfa.located import needed_turn
from ddfa.person.appearance import OTHER, SAME, Appearance, Look, mixed
from ddfa.person.motion import boxes_around
from ddfa.regress.roll import UPRIGHT_DEG

_CLOSE: Final = 0.7  # distance of two faces relative to the sum of their sizes, below which hair may cover the other
_HYSTERESIS_DEG: Final = 10.0
_UNLIKELY: Final = 10.0  # cost of a pair that must not be matched
_SLOWLY: Final = 0.02  # weight of a frame that hardly looks like the track: the light may have changed


@dataclass(eq=False)
class Track:
    """One person in a video.

    Attributes:
        id: from 0; never reused for another person.
        landmarks: (68, 3) px, where last seen.
        score: of the detector, at the last check.
        time: when last seen, s.
        look: running mean of the looks; None before the first.
        last_look: of the last frame.
        velocity: (2,) px a frame.
        roll: by how much the next crop is turned back, degrees, see `ddfa.located`.
        unchecked: frames since the last check by the detector.
        misses: failed checks in a row.
        contested: frames for which the look is not updated, since another face is, or was, close.
        elsewhere: the last position does not count, since the shot has changed.
    """

    id: int
    landmarks: Float32
    score: float
    time: float
    look: Look | None = None
    last_look: Look | None = None
    velocity: Float32 = field(default_factory=lambda: np.zeros(2, np.float32))
    roll: float = 0.0
    unchecked: int = 0
    misses: int = 0
    contested: int = 0
    elsewhere: bool = False

    @property
    def box(self) -> Float32:
        """(4,) box of the landmarks, px."""
        return np.asarray(boxes_around(self.landmarks[None])[0])

    def is_near(self, box: Float32) -> bool:
        """Whether a box (4,) is less than its size away from the last position, and of similar size."""
        size = max(float(max(box[2:] - box[:2])), float(max(self.box[2:] - self.box[:2])))
        return not self.elsewhere and _apart(box, self.box) < size and float(min(box[2:] - box[:2])) > 0.4 * size

    def is_close(self, box: Float32) -> bool:
        """Whether a face (4,) may cover parts of this one."""
        return _apart(box, self.box) < _CLOSE * float(np.mean(box[2:] - box[:2] + self.box[2:] - self.box[:2]))

    def advance(self, landmarks: Float32, time: float) -> None:
        """Move on by a frame; half of the last step is the velocity: enough for fast heads, and robust to noise."""
        step = landmarks[:, :2].mean(axis=0) - self.landmarks[:, :2].mean(axis=0)
        self.velocity = np.asarray(0.5 * step, np.float32)
        self.landmarks, self.time = landmarks, time

    def turn(self, rotation: Floats) -> None:
        """Decide by how much the next crop is turned back, from the rotation (1, 3, 3) in this frame.

        Near the limit, what was decided for the last frame is kept.
        """
        limit = UPRIGHT_DEG - _HYSTERESIS_DEG if self.roll else UPRIGHT_DEG
        self.roll = float(needed_turn(rotation, limit)[0])

    def restart(self, landmarks: Float32, score: float, time: float) -> None:
        """Begin again at another place."""
        self.landmarks, self.score, self.time = landmarks, score, time
        self.velocity = np.zeros(2, np.float32)
        self.unchecked = self.misses = self.contested = 0
        self.roll = 0.0
        self.elsewhere, self.last_look = False, None

    def remember(self, look: Look, distance: float) -> None:
        """Update the running mean by the look in this frame, at the given distance from it."""
        self.last_look = look
        if self.look is None:
            self.look = look
        elif self.contested:
            self.contested -= 1
        else:
            self.look = mixed(self.look, look) if not distance > SAME else mixed(self.look, look, _SLOWLY)


def _apart(box: Float32, other: Float32) -> float:
    """Distance of the centres of two boxes (4,), px."""
    return float(np.linalg.norm((box[:2] + box[2:] - other[:2] - other[2:]) / 2))


def returning(
    lost: Sequence[Track], landmarks: Sequence[Float32], looks: Sequence[Look], appearance: Appearance
) -> list[Track | None]:
    """Find out which faces belong to lost tracks: the assignment with the least total distance of looks.

    A face near the last position of a track is accepted at a larger distance than elsewhere; if too little of it is
    seen to compare looks, the position decides.

    Args:
        lost: the tracks.
        landmarks: (68, 3) px of each face.
        looks: of each face.
        appearance: compares looks.

    Returns:
        The track of each face, or None.
    """
    cost = np.full((len(looks), len(lost)), _UNLIKELY)
    for row, (points, look) in enumerate(zip(landmarks, looks, strict=True)):
        for column, track in enumerate(lost):
            near = track.is_near(boxes_around(points[None])[0])
            distance = float("nan") if track.look is None else appearance.distance(track.look, look)
            if np.isnan(distance):
                distance = SAME if near else _UNLIKELY
            if distance < (OTHER if near else SAME):
                cost[row, column] = distance + (0 if near else 0.1)
    found: list[Track | None] = [None] * len(looks)
    for face, best in zip(*linear_sum_assignment(cost), strict=True):
        if cost[face, best] < _UNLIKELY:
            found[face] = lost[int(best)]
    return found


def swapped(distances: Float64) -> list[int]:
    """Which face belongs to which track, for tracks that were close to each other.

    Args:
        distances: (n, n), of the look of track i from that of the face which was followed as track j.

    Returns:
        The face of each track: the order given unless another one fits clearly better.
    """
    known = np.nan_to_num(distances, nan=OTHER)
    best = linear_sum_assignment(known)[1]
    gain = float(np.trace(known) - known[np.arange(len(known)), best].sum())
    return [int(face) for face in best] if gain > OTHER else list(range(len(known)))
