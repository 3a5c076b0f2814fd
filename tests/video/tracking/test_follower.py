"""Who is who: people who leave, return, cross or are replaced, one frame at a time."""

from dataclasses import replace

import numpy as np
import pytest

from ddfa.video.tracking.tracker import FaceTracker

LEFT, RIGHT = 200, 460


@pytest.fixture
def ids(aligner, stage):
    """Track scenes of people and return, for each frame, the ids from left to right."""

    def track(scenes, **options):
        tracker = FaceTracker(aligner, smooth=False, **options)
        faces = [tracker(frame) for frame in stage.frames(scenes)]
        return [
            [one.id for one in sorted(each, key=lambda one: one.faces.landmarks68[0, :, 0].mean())] for each in faces
        ]

    return track


def test_somebody_returns_while_another_is_in_view(ids, people) -> None:
    first, second = people
    both = [(first, LEFT), (second, RIGHT)]
    seen = ids([both] * 8 + [[(second, RIGHT)]] * 15 + [both] * 6)
    start = seen[0]
    assert sorted(start) == [0, 1] and all(one == start for one in seen[:8])
    assert seen[9] == seen[22] == start[1:]
    assert start in seen[23:28] and seen[-1] == start  # found again within five frames


def test_somebody_returns_elsewhere_after_two_seconds(ids, people) -> None:
    first, second = people
    away = [[(first, LEFT), (second, RIGHT)]] * 4 + [[]] * 50
    back = [[(second, LEFT - 60), (first, RIGHT + 60)]] * 3
    left, right = ids(away + back, memory=3.0)[0]
    assert ids(away + back, memory=3.0)[-1] == [right, left]
    assert ids(away + back, memory=1.0)[-1] == [2, 3]


def test_another_person_at_the_same_place_gets_a_new_id(ids, people) -> None:
    first, second = people
    seen = ids([[(first, LEFT)]] * 5 + [[]] * 15 + [[(second, LEFT)]] * 6)
    assert seen[0] == [0] and seen[7] == [] and seen[-1] == [1]


def test_another_person_from_one_frame_to_the_next(ids, people) -> None:
    first, second = people
    seen = ids([[(first, LEFT)]] * 5 + [[(second, LEFT)]] * 5 + [[(first, LEFT)]] * 5)
    assert seen == [[0]] * 5 + [[1]] * 5 + [[0]] * 5


@pytest.mark.parametrize("light", [(2.2, 2.2, 2.2), (0.4, 0.4, 0.4), (1.2, 1.0, 0.75)])
@pytest.mark.parametrize("frames", [1, 5])
def test_flashes_and_other_light_change_no_id(aligner, stage, people, light, frames: int) -> None:
    first, second = people
    shown = stage.frames([[(first, LEFT), (second, RIGHT)]] * 12)
    lit = [
        replace(frame, image=np.clip(frame.image * np.array(light), 0, 255).astype(np.uint8))
        if 4 <= frame.index < 4 + frames
        else frame
        for frame in shown
    ]
    tracker = FaceTracker(aligner, smooth=False)
    assert all([face.id for face in tracker(frame)] == [0, 1] for frame in lit)


@pytest.mark.parametrize("front", [0, 1])
def test_two_people_cross(ids, people, front: int) -> None:
    places = [(170 + 10 * k, 470 - 10 * k) for k in range(31)]
    scenes = [sorted(zip(people, both, strict=True), key=lambda one: one[0] is people[front]) for both in places]
    seen = ids(scenes)
    assert sorted(seen[0]) == [0, 1] and seen[-1] == seen[0][::-1]
    assert set().union(*seen) == {0, 1}
    in_front = seen[0][front]
    assert all(in_front in one for one in seen)
