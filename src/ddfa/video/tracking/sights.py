"""Whose face is it? Faces found where tracks are expected, and rules by which tracks keep their own."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ddfa.arrays import Float32
from ddfa.faces import Faces
from ddfa.geometry.duplicates import SAME_LANDMARKS, covered_landmarks
from ddfa.person.appearance import OTHER, SAME, Appearance, Look
from ddfa.video.tracking.track import Track, swapped

_CONTESTED: Final = 10  # frames after two faces were close until looks are updated again


@dataclass(eq=False)
class Sight:
    """What was found where a track is expected.

    Attributes:
        track: the track.
        face: a result with one face.
        look: of the face.
        distance: of its look from that of the track; NaN if it cannot be compared.
    """

    track: Track
    face: Faces
    look: Look
    distance: float


def remove_duplicates(sights: list[Sight]) -> list[Track]:
    """Of sights of the same face, keep the one that looks like its track, or the older one; notes which are close.

    Args:
        sights: of a frame; those that are not kept are removed.

    Returns:
        The tracks of the removed ones.
    """
    removed = []
    for sight in list(sights):
        for other in sights[: sights.index(sight)] if sight in sights else []:
            if sight.track.is_close(other.track.box):
                sight.track.contested = other.track.contested = _CONTESTED
            if is_covered(sight.track.landmarks, [other.track]):
                worse = other if other.distance > sight.distance else sight
                sights.remove(worse)
                removed.append(worse.track)
                break
    return removed


def undo_swaps(sights: list[Sight], appearance: Appearance) -> None:
    """Give close faces back to the tracks they look like, if tracks have exchanged them.

    Args:
        sights: of a frame; faces and positions are exchanged.
        appearance: compares looks.
    """
    close = [sight for sight in sights if sight.track.contested and sight.track.look is not None]
    if len(close) < 2:
        return
    looks = [sight.track.look for sight in close]
    distances = np.array(
        [[appearance.distance(look, sight.look) for sight in close] for look in looks if look is not None]
    )
    owners = [(one.track.landmarks, one.track.velocity, one.track.roll, one.face, one.look) for one in close]
    for row, face in enumerate(swapped(distances)):
        if face != row:
            sight = close[row]
            landmarks, velocity, roll, sight.face, sight.look = owners[face]
            sight.track.landmarks, sight.track.velocity, sight.track.roll = landmarks, velocity, roll
            sight.distance = float(distances[row, face])


def is_replaced(sight: Sight, lost: list[Track], appearance: Appearance) -> bool:
    """Whether a face that does not look like its track is another person, not the same one in another light.

    It is if the change is abrupt, or if it looks like somebody who is missing.

    Args:
        sight: the face.
        lost: tracks of people who are missing.
        appearance: compares looks.
    """
    last = sight.track.last_look
    if last is not None and appearance.distance(last, sight.look) > OTHER:
        return True
    missing = [track.look for track in lost if track.look is not None]
    return any(appearance.distance(look, sight.look) < SAME for look in missing)


def is_covered(landmarks: Float32, tracks: list[Track]) -> bool:
    """Whether a face lies on top of one of the tracks."""
    others = np.array([track.landmarks for track in tracks], np.float32).reshape(-1, 68, 3)
    return bool((covered_landmarks(landmarks, others) >= SAME_LANDMARKS).any())
