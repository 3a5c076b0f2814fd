import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.regress.eyelids import evened, refined_blinks

UNIT = st.floats(0, 1)


@given(UNIT, UNIT)
def test_two_eyes_come_closer_and_keep_their_mean_and_order(left, right):
    even = evened(np.array([[left, right]], np.float32))[0]
    assert even.mean() == pytest.approx((left + right) / 2, abs=1e-6)
    difference = even[0] - even[1]
    assert abs(difference) <= abs(left - right) + 1e-6 and difference * (left - right) >= -1e-6
    assert even.min() >= -1e-6 and even.max() <= 1 + 1e-6


def test_winks_are_kept_and_blinks_are_evened_out():
    even = evened(np.array([[0.9, 0.0], [0.8, 0.6]], np.float32))
    np.testing.assert_allclose(even[0], [0.9, 0.0], atol=1e-6)
    np.testing.assert_allclose(even[1], [0.776, 0.624], atol=1e-6)


def test_open_eyes_stay_open_and_closed_ones_closed():
    blinks, gaps = np.array([[0.0, 0.0], [1.0, 1.0]], np.float32), np.array([[0.14, 0.15], [0.04, 0.04]], np.float32)
    refined = refined_blinks(blinks, gaps)
    np.testing.assert_array_equal(refined[0], 0)
    assert refined[1].min() > 0.95


@given(UNIT, UNIT, st.floats(-1, 1), st.floats(-1, 1))
def test_refined_blinks_are_units_and_mirrored_faces_are_mirrored(left, right, gap, other):
    blinks, gaps = np.array([[left, right]], np.float32), np.array([[gap, other]], np.float32)
    refined = refined_blinks(blinks, gaps)
    assert refined.dtype == np.float32 and refined.min() >= -1e-6 and refined.max() <= 1 + 1e-6
    np.testing.assert_allclose(refined_blinks(blinks[:, ::-1], gaps[:, ::-1]), refined[:, ::-1], atol=1e-6)
