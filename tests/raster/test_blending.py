import numpy as np
import pytest

from ddfa.raster.blending import blend, fill_holes, push_pull, smoothstep


def test_a_step_rises_or_falls_smoothly():
    values = np.linspace(-1, 2, 31)
    rising, falling = smoothstep(values, 0, 1), smoothstep(values, 1, 0)
    assert rising[0] == 0 and rising[-1] == 1 and (np.diff(rising) >= 0).all()
    np.testing.assert_allclose(rising + falling, 1, atol=1e-6)


def test_blending_is_linear():
    np.testing.assert_allclose(blend(np.zeros(3), np.full(3, 8.0), np.float32(0.25)), 2)


@pytest.mark.parametrize("shape", [(40, 40), (33, 17), (5, 50)])
def test_a_constant_is_continued_over_holes_and_known_values_stay(shape):
    known = np.random.default_rng(0).random(shape) < 0.2
    known[0, 0] = True
    values = np.where(known[..., None], 7.0, 1000.0) * np.ones(3)
    np.testing.assert_allclose(push_pull(values, known), 7, rtol=1e-4)


def test_valid_pixels_are_unchanged_and_holes_lie_between_their_surroundings():
    image = np.random.default_rng(1).integers(50, 100, (30, 30, 3)).astype(np.uint8)
    valid = np.ones((30, 30), bool)
    valid[10:20, 12:22] = False
    image[~valid] = 255
    filled = fill_holes(image, valid)
    np.testing.assert_array_equal(filled[valid], image[valid])
    assert filled[~valid].min() >= 45 and filled[~valid].max() <= 105
    np.testing.assert_array_equal(fill_holes(image, np.zeros_like(valid)), image)
