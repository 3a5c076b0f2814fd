"""Points as a linear function of the coefficients."""

import numpy as np
import pytest

from ddfa.errors import ModelError
from ddfa.head.linear import LinearPoints

# Two points, two identity modes, one expression mode.
MEAN = np.float32([[1, 2, 3], [4, 5, 6]])
BASES = np.zeros((3, 2, 3), np.float32)
BASES[0, 0, 0] = BASES[1, 1, 1] = BASES[2, :, 2] = 1
POINTS = LinearPoints(MEAN, BASES, identities=2)


def test_decode_adds_the_weighted_modes():
    decoded = POINTS.decode(np.array([[10.0, 20.0]]), np.array([[30.0]]))
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, [[[11, 2, 33], [4, 25, 36]]])


def test_missing_coefficients_are_zero_and_the_mean_is_not_changed():
    np.testing.assert_array_equal(POINTS.decode(np.zeros((2, 0)), np.zeros((2, 0))), [MEAN, MEAN])
    np.testing.assert_array_equal(POINTS.decode(np.ones((1, 1)), np.zeros((1, 0)))[0], MEAN + BASES[0])
    np.testing.assert_array_equal(MEAN, [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(("identity", "expression"), [((1, 3), (1, 1)), ((1, 2), (1, 2)), ((2, 2), (1, 1))])
def test_coefficients_that_do_not_fit(identity, expression):
    with pytest.raises(ModelError, match="2 identity and 1 expression modes"):
        POINTS.decode(np.zeros(identity), np.zeros(expression))
