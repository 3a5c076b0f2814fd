from pathlib import Path

import pytest

from ddfa.errors import OutputError
from ddfa.head.model import HeadModel
from ddfa.video.motion.choice import FollowedTrack, LongestTrack
from ddfa.video.tracking.tracker import TrackedFace

from ...face_factory import place_faces

SMALL = place_faces(HeadModel.load(), side=80.0)
LARGE = place_faces(HeadModel.load(), side=160.0)


def test_largest_and_longest() -> None:
    choice = LongestTrack()
    for _ in range(2):
        choice.add([TrackedFace(1, SMALL), TrackedFace(4, LARGE)])
    assert choice.chosen(Path("x")) == 4
    for _ in range(3):
        choice.add([TrackedFace(1, SMALL)])
    assert choice.chosen(Path("x")) == 1
    assert LongestTrack().chosen(Path("x")) is None


def test_wanted() -> None:
    choice = LongestTrack(4)
    assert [face.id for face in choice.add([TrackedFace(1, SMALL), TrackedFace(4, LARGE)])] == [4]
    assert choice.chosen(Path("x")) == 4
    missing = LongestTrack(7)
    missing.add([TrackedFace(1, SMALL), TrackedFace(4, LARGE)])
    with pytest.raises(OutputError, match="no track 7 for x: the video has 1, 4"):
        missing.chosen(Path("x"))


def test_a_person_is_followed_while_in_view() -> None:
    choice = FollowedTrack()
    small, large = TrackedFace(1, SMALL), TrackedFace(4, LARGE)
    shown = [choice.among(faces) for faces in ([], [small], [small, large], [large], [small, large], [])]
    assert [face and face.id for face in shown] == [None, 1, 1, 4, 4, None]
    assert FollowedTrack(1).among([large]) is None
