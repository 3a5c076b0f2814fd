"""Rules by which tracks keep their own faces."""

from types import SimpleNamespace

import numpy as np

from ddfa.video.tracking.sights import Sight, is_covered, is_replaced, remove_duplicates, undo_swaps
from ddfa.video.tracking.track import Track, swapped

POINTS = np.random.default_rng(0).uniform(0, 100, (68, 3)).astype(np.float32)


class Looks:
    """Looks are numbers here, and their distance is the difference."""

    def distance(self, first: float, second: float) -> float:
        return abs(first - second)


def track(number: int, x: float, look: float) -> Track:
    made = Track(number, POINTS + np.array([x, 0, 0], np.float32), 0.9, 0.0)
    made.remember(look, 0.0)
    return made


def sight(of: Track, look: float) -> Sight:
    return Sight(of, SimpleNamespace(name=f"face of {of.id}"), look, abs(of.look - look))


def test_of_two_tracks_on_one_face_the_one_that_looks_like_it_is_kept():
    first, second, apart = track(0, 0, 0.0), track(1, 2, 1.0), track(2, 500, 2.0)
    sights = [sight(first, 0.9), sight(second, 1.0), sight(apart, 2.0)]
    assert remove_duplicates(sights) == [first]
    assert [one.track for one in sights] == [second, apart]
    assert first.contested and second.contested and not apart.contested
    assert is_covered(second.landmarks, [first]) and not is_covered(apart.landmarks, [first, second])


def test_exchanged_faces_are_given_back():
    first, second = track(0, 0, 0.0), track(1, 60, 1.0)
    first.contested = second.contested = 5
    faces = [sight(first, 1.0), sight(second, 0.0)]  # each looks like the other
    before = first.landmarks, second.landmarks
    undo_swaps(faces, Looks())
    assert [one.face.name for one in faces] == ["face of 1", "face of 0"]
    assert first.landmarks is before[1] and second.landmarks is before[0]
    assert [one.distance for one in faces] == [0, 0]


def test_a_face_is_replaced_by_an_abrupt_change_or_somebody_who_is_missing():
    known, missing = track(0, 0, 0.0), track(1, 300, 1.0)
    assert is_replaced(sight(known, 0.9), [], Looks())
    known.last_look = 0.8  # the change was gradual
    assert not is_replaced(sight(known, 0.9), [], Looks())
    assert is_replaced(sight(known, 0.9), [missing], Looks())


def test_faces_are_exchanged_only_if_that_fits_clearly_better() -> None:
    assert swapped(np.array([[1.0, 0.1], [0.1, 0.9]])) == [1, 0]
    assert swapped(np.array([[0.3, 0.2], [0.2, 0.3]])) == [0, 1]
    assert swapped(np.array([[np.nan, 0.5], [0.5, np.nan]])) == [0, 1]
