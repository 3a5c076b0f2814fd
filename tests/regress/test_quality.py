import numpy as np
import pytest

from ddfa.regress.quality import LANDMARKS, QUALITY_SIZE, quality_estimates


def test_deviations_are_shares_of_the_crop_side():
    output = np.zeros((2, QUALITY_SIZE), np.float32)
    output[:, 1 : 1 + LANDMARKS] = np.log(0.02)
    roi = np.array([[0, 0, 100, 100], [10, 20, 410, 420]], np.float32)
    found = quality_estimates(output, roi)
    np.testing.assert_allclose(found.landmark_std, np.repeat([[2.0], [8.0]], LANDMARKS, axis=1), rtol=1e-5)
    assert found.landmark_std.dtype == found.quality.dtype == np.float32


@pytest.mark.parametrize(("logit", "probability"), [(0, 0.5), (2, 1 / (1 + np.exp(-2))), (-200, 0), (200, 1)])
def test_logits_become_probabilities(logit, probability):
    output = np.full((1, QUALITY_SIZE), logit, np.float32)
    found = quality_estimates(output, np.array([[0, 0, 10, 10]]))
    assert found.quality[0] == pytest.approx(probability, abs=1e-6)
    np.testing.assert_allclose(found.landmark_occlusion, probability, atol=1e-6)
    assert np.isfinite(found.landmark_std).all()
