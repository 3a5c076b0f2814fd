"""How well a source suits a target."""

from dataclasses import replace

import numpy as np
import pytest

from ddfa import FaceAligner, read_image
from ddfa.errors import DDFAError, UnsuitableError
from ddfa.replace.likeness import Likeness
from ddfa.replace.replacer import Replacer, share_of_shape
from ddfa.replace.source import source_from_photos


@pytest.fixture(scope="module")
def case(root) -> tuple:
    aligner = FaceAligner(threads=1)
    photos = [read_image(root / "samples" / f"{name}.jpg") for name in ("astronaut", "grace_hopper")]
    return photos, [aligner(photo, refine=True).single(0) for photo in photos]


def test_a_source_that_suits_is_refused_for_nothing_less(case: tuple) -> None:
    photo, face = case[0][0], case[1][0]
    source = source_from_photos([photo], [face])
    good = Replacer(source).suitability(photo, face)
    assert good.score > 0.8
    good.require(0.5)
    # The same person seen by a source that shows only the left half of the face, in a few px, or in hard light.
    half = replace(source, known=source.known * (source.surface.mm[:, 0] > 40))
    for worse, reason in (
        (half, "view"),
        (replace(source, turns_deg=np.array([60.0, -58.0], np.float32)), "turned too far"),
        (replace(source, height=10.0), "resolution"),
        (replace(source, hardness=0.6), "hard light"),
    ):
        found = Replacer(worse).suitability(photo, face)
        assert found.score < 0.5 and reason in found.reason
        with pytest.raises(UnsuitableError, match=f"{reason}.*at least 0.5 is asked for"):
            found.require(0.5)


def test_a_turned_source_suits_a_target_turned_to_the_same_side(case: tuple) -> None:
    photo, face = case[0][0], case[1][0]
    source = source_from_photos([photo], [face])
    turn = float(face.turn_nod_tilt_deg[0, 0])
    scores = [
        Replacer(replace(source, turns_deg=np.array(turns, np.float32))).suitability(photo, face).score
        for turns in ([turn + np.sign(turn) * 25], [80.0, turn], [np.sign(turn) * 75])
    ]
    assert scores[0] > 0.8 and scores[1] > 0.8 and scores[2] < 0.5


def test_the_person_on_the_reference_is_chosen(case: tuple) -> None:
    (photo, target), (face, other) = case
    likeness = Likeness(photo, face)
    assert likeness.distance(photo, face) == pytest.approx(0, abs=1e-4)
    assert likeness.distance(target, other) == float("inf")


@pytest.mark.parametrize(("shape", "share"), [("source", 1), ("blend", 0.5), ("target", 0), (0.3, 0.3), ("0.25", 0.25)])
def test_shapes_are_names_or_shares(shape, share: float) -> None:
    assert share_of_shape(shape) == share


@pytest.mark.parametrize("shape", ["round", "1.5", -0.1, "nan"])
def test_other_shapes_are_refused(shape) -> None:
    with pytest.raises(DDFAError, match="give source, target, blend or a number from 0 to 1"):
        share_of_shape(shape)
