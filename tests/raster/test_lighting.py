import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.head.model import HeadModel
from ddfa.raster.lighting import ambient_occlusion, estimate_light, harmonics, light_from, shading, skin_light


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


def test_light_is_found_again_in_what_it_lights():
    normals = sphere()
    normals = normals[normals[:, 2] > 0]
    light = light_from(np.array([0.6, 0.0, 0.8]), np.ones(3))[:, 0] + np.eye(9)[0]
    seen = harmonics(normals) @ light
    found = harmonics(normals) @ estimate_light(normals, 0.4 * seen, np.ones(len(normals)))
    np.testing.assert_allclose(found, seen / seen.mean(), atol=0.06)


def test_the_light_of_a_photo_is_estimated_from_its_skin():
    head = HeadModel.load()
    normals = head.mean / np.linalg.norm(head.mean, axis=1, keepdims=True)
    light = light_from(np.array([0.6, 0.0, 0.8]), np.ones(3))[:, 0] + np.eye(9)[0]
    colours = 0.5 * (harmonics(normals) @ light)[:, None] * np.array([0.9, 0.7, 0.6])
    found = harmonics(normals) @ skin_light(head, normals, colours)
    face = head.regions["face"] & (normals[:, 2] > 0.4)
    assert np.corrcoef(found[face], colours[face, 0])[0, 1] > 0.99
    np.testing.assert_array_equal(skin_light(head, -normals * [0, 0, 1], colours), np.eye(9, dtype=np.float32)[0])


def test_folds_receive_less_ambient_light():
    head = HeadModel.load()
    reached = ambient_occlusion(head, 12, 128)
    assert reached.min() >= 0 and reached.max() <= 1
    assert reached[head.regions["mouth_inner"]].mean() < 0.6 * reached[head.regions["hair"]].mean()
