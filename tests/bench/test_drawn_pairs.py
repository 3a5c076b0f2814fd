"""Drawn pairs for face replacement."""

import numpy as np
import pytest

from ddfa.bench.drawn_pairs import SIDE, DrawnPair, PairPainter
from ddfa.bench.replacement import error
from ddfa.head.open import load_open_head


@pytest.fixture(scope="module")
def pair() -> DrawnPair:
    return PairPainter(load_open_head())(1)


def test_truth_and_target_differ_in_the_face_only(pair: DrawnPair) -> None:
    assert error(pair.truth, pair.target, pair.skin) > 2
    border = np.ones((SIDE, SIDE), np.float32)
    border[20:-20, 20:-20] = 0
    assert error(pair.truth, pair.target, border) < 0.5


def test_masks_are_areas_of_the_face(pair: DrawnPair) -> None:
    assert 0.01 < pair.eyes.mean() < pair.skin.mean() < 0.5
    x, y = pair.target_landmarks[0, 36:48, :2].mean(axis=0).round().astype(int)
    assert pair.eyes[y - 15 : y + 15, x - 50 : x + 50].max() > 0.99


def test_truth_with_a_share_of_one_has_the_shape_of_the_source() -> None:
    head = load_open_head()
    own, other = (PairPainter(head, share)(3) for share in (0.0, 1.0))
    assert (own.target == other.target).all()
    assert error(own.truth, other.truth, own.skin) > 2
