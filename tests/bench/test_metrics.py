import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.bench.metrics import aligned, aligned_nme, box_size, nme, summarise


def random_points(seed, n=4):
    return np.random.default_rng(seed).uniform(0, 200, (n, 68, 3))


@given(st.integers(0, 1000), st.floats(-20, 20), st.floats(-20, 20))
def test_nme_of_a_shift_is_its_length_over_the_box(seed, dx, dy):
    truth = random_points(seed)
    width, height = np.ptp(truth[..., :2], axis=1).T
    expected = 100 * np.hypot(dx, dy) / np.sqrt(width * height)
    np.testing.assert_allclose(nme(truth + np.array([dx, dy, 99]), truth), expected, atol=1e-9)


@given(st.integers(0, 1000), st.floats(0.5, 2), st.floats(-50, 50))
def test_aligned_nme_ignores_scale_and_translation(seed, scale, shift):
    truth = random_points(seed)
    np.testing.assert_allclose(aligned_nme(scale * truth + shift, truth), 0, atol=1e-9)
    noisy = truth + np.random.default_rng(seed).normal(0, 3, truth.shape)
    np.testing.assert_allclose(aligned_nme(scale * noisy + shift, truth), aligned_nme(noisy, truth), atol=1e-9)
    assert (aligned_nme(noisy, truth) <= nme(noisy, truth) * 1.05).all()


def test_bins_and_means():
    summary = summarise(np.array([1.0, 3.0, 5.0, 9.0]), np.array([-30.0, 10.0, -60.0, 100.0]))
    assert summary.bins == (2.0, 5.0, 9.0) and summary.counts == (2, 1, 1)
    assert summary.mean == pytest.approx(16 / 3) and summary.plain == 4.5
    assert summary.std == pytest.approx(np.std([2, 5, 9])) and summary.plain_std == pytest.approx(np.std([1, 3, 5, 9]))
    assert summary.bin_std == (1.0, 0.0, 0.0)


def test_faces_of_unknown_yaw_count_in_no_bin():
    summary = summarise(np.array([1.0, 3.0]), np.array([np.nan, 5.0]))
    assert summary.counts == (1, 0, 0) and summary.plain == 2.0


@given(st.integers(0, 1000))
def test_invisible_points_do_not_count(seed):
    rng = np.random.default_rng(seed)
    truth, visible = random_points(seed), rng.random((4, 68)) < 0.5
    predicted = 1.3 * truth + 7
    truth[~visible], size = 1e6, np.full(4, 50.0)
    assert nme(truth + 1, truth, visible, size) == pytest.approx(2 * np.sqrt(2))
    np.testing.assert_allclose(nme(aligned(predicted, truth, visible), truth, visible, size), 0, atol=1e-9)


def test_box_size():
    assert box_size(np.array([[[0, 0, 5], [9, 4, -5]]])) == pytest.approx([6])


def test_empty_bins_do_not_count():
    summary = summarise(np.array([2.0]), np.array([70.0]))
    assert np.isnan(summary.bins[:2]).all() and summary.mean == 2.0
    assert np.isnan(summarise(np.zeros(0), np.zeros(0)).mean)
