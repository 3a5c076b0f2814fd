import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.geometry.pose import matrix_from_euler
from ddfa.regress.visible_side import follow_visible_eye, near_eye_share, visible_shares

LOOK_IN, LOOK_OUT = 0, 1
MIRRORED = [LOOK_OUT, LOOK_IN, 2]


def _shares(yaw_deg: float) -> np.ndarray:
    return visible_shares(matrix_from_euler(np.array([[yaw_deg, 0.0, 0.0]])))[0]


@given(st.floats(-90, 90))
def test_mirrored_heads_show_mirrored_eyes(yaw):
    left, right, mouth = _shares(yaw)
    np.testing.assert_allclose(_shares(-yaw), [right, left, mouth], atol=1e-9)
    assert max(left, right) == 1  # one eye is always in view


@given(st.floats(-89, 89), st.floats(-1, 1))
def test_shares_have_no_jumps(yaw, step):
    np.testing.assert_allclose(_shares(yaw), _shares(yaw + step), atol=0.15)


@pytest.mark.parametrize(("yaw", "expected"), [(0, [1, 1, 1]), (35, [1, 1]), (45, [1, 0, 0]), (-80, [0, 1, 0])])
def test_shares(yaw, expected):
    np.testing.assert_allclose(_shares(yaw)[: len(expected)], expected, atol=1e-9)


def test_eyes_of_profiles_are_left_to_the_first_network():
    rotation = matrix_from_euler(np.array([[yaw, 0.0, 0.0] for yaw in (0, 44, -52, 61, -90)]))
    shares = near_eye_share(rotation)
    np.testing.assert_allclose(shares[[0, 1, 3, 4]], [1, 1, 0, 0])
    assert 0.3 < shares[2] < 0.8


def test_the_hidden_eye_looks_where_the_visible_one_looks():
    units = np.array([[[0.8, 0.0, 0.5], [0.1, 0.2, 0.0]]], np.float32)
    confidence = np.array([[0.9, 0.2]])
    followed, sure = follow_visible_eye(units, confidence, np.array([[1.0, 0.0]]), MIRRORED)
    np.testing.assert_allclose(followed[0, 1], [0.0, 0.8, 0.5], atol=1e-7)  # inwards for one, outwards for the other
    np.testing.assert_array_equal(followed[0, 0], units[0, 0])
    np.testing.assert_allclose(sure, [[0.9, 0.9]])


def test_visible_eyes_keep_their_own_units():
    random = np.random.default_rng(0)
    units, confidence = random.uniform(0, 1, (4, 2, 3)).astype(np.float32), random.uniform(0, 1, (4, 2))
    followed, sure = follow_visible_eye(units, confidence, np.ones((4, 2)), MIRRORED)
    np.testing.assert_array_equal(followed, units)
    np.testing.assert_allclose(sure, confidence, rtol=1e-6)


def test_nothing_is_known_where_neither_eye_was_read():
    units = np.zeros((1, 2, 3), np.float32)
    followed, sure = follow_visible_eye(units, np.zeros((1, 2)), np.array([[1.0, 0.0]]), MIRRORED)
    assert not followed.any() and not sure.any()
