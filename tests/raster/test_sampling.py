import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.raster.sampling import sample


def ramp(channels=3):
    y, x = np.mgrid[0:20, 0:30].astype(np.float32)
    return np.stack([x, y, x + y], axis=-1)[..., :channels]


@given(st.floats(0, 29), st.floats(0, 19))
def test_a_linear_image_is_interpolated_exactly(x, y):
    found = sample(ramp(), np.array([[x, y]], np.float32))
    np.testing.assert_allclose(found, [[x, y, x + y]], atol=1 / 16)  # OpenCV rounds positions to 1/32 px


@pytest.mark.parametrize("shape", [(5, 2), (4, 5, 3), (7, 2)])
def test_the_result_has_the_shape_of_the_positions(shape):
    positions = np.random.default_rng(0).uniform(0, 15, shape).astype(np.float32)
    assert sample(ramp(), positions).shape == (*shape[:-1], 3)
    assert sample(ramp()[..., 0], positions).shape == (*shape[:-1], 1)


def test_the_border_is_repeated_and_nearest_does_not_interpolate():
    positions = np.array([[-9, 5], [50, 5], [10.4, 3.6]], np.float32)
    np.testing.assert_allclose(sample(ramp(1), positions, nearest=True)[:, 0], [0, 29, 10])
    np.testing.assert_allclose(sample(ramp(1), positions[:2])[:, 0], [0, 29])
