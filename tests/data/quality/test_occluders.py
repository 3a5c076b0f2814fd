import numpy as np
import pytest

from ddfa.data.quality.occluders import fringe, sunglasses, surgical_mask
from ddfa.head.open import load_open_head


@pytest.fixture(scope="module")
def landmarks():
    points = load_open_head().landmark_points.mean[:, :2] * [1, -1]
    low, high = points.min(axis=0), points.max(axis=0)
    return (points - (low + high) / 2) * 80 / (high - low).max() + 60


def opacity_at(occluder, points):
    x, y = np.rint(points).astype(int).T
    return occluder.opacity[y, x]


@pytest.mark.parametrize("seed", range(6))
def test_each_occluder_hides_its_landmarks_and_no_others(landmarks, seed):
    glasses, mask, hair = (
        draw(landmarks, 120, np.random.default_rng(seed)) for draw in (sunglasses, surgical_mask, fringe)
    )
    for occluder in (glasses, mask, hair):
        assert occluder.opacity.shape == (120, 120) and occluder.colours.shape == (120, 120, 3)
        assert occluder.opacity.min() >= 0 and occluder.opacity.max() <= 1 + 1e-6
        assert occluder.colours.min() >= 0 and occluder.colours.max() <= 1
    assert opacity_at(glasses, landmarks[36:48]).mean() > 0.5 and opacity_at(glasses, landmarks[48:68]).max() < 0.1
    assert opacity_at(mask, landmarks[6:11] * [1, 0.99]).mean() > 0.5 and opacity_at(mask, landmarks[17:27]).max() < 0.1
    assert opacity_at(hair, landmarks[48:68]).max() < 0.1 and hair.opacity[:20, 50:70].mean() > 0.3
