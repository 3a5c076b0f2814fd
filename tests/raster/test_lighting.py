import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.head.model import HeadModel
from ddfa.raster.lighting import ambient_occlusion, estimate_light, light_from, shading


def sphere(count=400, seed=0):
    points = np.random.default_rng(seed).normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@given(st.integers(0, 1000))
def test_a_far_light_is_brightest_where_it_is_faced(seed):
    direction = sphere(1, seed)[0]
    light = light_from(direction, np.ones(3))
    seen = shading(sphere(), light)[:, 0]
    np.testing.assert_allclose(seen, np.maximum(sphere() @ direction, 0), atol=0.1)
    assert shading(direction[None], light)[0, 0] == pytest.approx(17 / 16, abs=1e-5)


@pytest.mark.parametrize("outliers", [0.0, 0.2])
def test_light_is_found_again_in_what_it_lights(outliers):
    normals = sphere()
    normals = normals[normals[:, 2] > 0]
    light = light_from(np.array([0.6, 0.0, 0.8]), np.array([1.0, 0.9, 0.8])) + np.eye(9)[:, :1]
    seen = shading(normals, light)
    shown = seen * np.array([0.5, 0.3, 0.2])
    shown[: int(outliers * len(shown))] *= 0.3  # a cast shadow
    found = shading(normals, estimate_light(normals, shown, np.ones(len(normals))))
    wanted = seen / seen.mean(axis=0)
    ratio = np.median(wanted / found, axis=0)  # the mean brightness includes the outliers
    np.testing.assert_allclose(found * ratio, wanted, atol=0.1)


def test_folds_receive_less_ambient_light():
    head = HeadModel.load()
    reached = ambient_occlusion(head, 12, 128)
    assert reached.min() >= 0 and reached.max() <= 1
    assert reached[head.regions["mouth_inner"]].mean() < 0.6 * reached[head.regions["hair"]].mean()
