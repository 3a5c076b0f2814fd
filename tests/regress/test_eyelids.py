import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.regress.eyelids import even_blinks

UNIT = st.floats(0, 1)


@given(UNIT, UNIT)
def test_two_eyes_come_closer_and_keep_their_mean_and_order(left, right):
    even = even_blinks(np.array([[left, right]], np.float32))[0]
    assert even.dtype == np.float32 and even.mean() == pytest.approx((left + right) / 2, abs=1e-6)
    difference = even[0] - even[1]
    assert abs(difference) <= abs(left - right) + 1e-6 and difference * (left - right) >= -1e-6
    assert even.min() >= -1e-6 and even.max() <= 1 + 1e-6


def test_winks_are_kept_and_blinks_are_evened_out():
    even = even_blinks(np.array([[0.9, 0.0], [0.8, 0.6]], np.float32))
    np.testing.assert_allclose(even[0], [0.9, 0.0], atol=1e-6)
    np.testing.assert_allclose(even[1], [0.752, 0.648], atol=1e-6)
