import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ddfa.geometry.camera import FLIP_Y, FLIP_Y_MATRIX, project, weak_perspective
from ddfa.geometry.pose import decompose, matrix_from_euler

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(0, 3), st.integers(0, 4))
def test_projection_is_that_of_homogeneous_points(seed, n, k):
    rng = np.random.default_rng(seed)
    points, pose = rng.normal(size=(n, k, 3)), rng.normal(size=(n, 3, 4))
    homogeneous = np.concatenate([points, np.ones((n, k, 1))], axis=-1)
    np.testing.assert_allclose(project(points, pose), np.einsum("nij,nkj->nki", pose, homogeneous), atol=1e-12)


def test_one_pose_or_many():
    rng = np.random.default_rng(0)
    points, poses = rng.normal(size=(7, 3)), rng.normal(size=(4, 3, 4))
    alone = np.stack([project(points, pose) for pose in poses])
    np.testing.assert_allclose(project(np.broadcast_to(points, (4, 7, 3)), poses), alone)
    assert project(points.astype(np.float32), poses[0].astype(np.float32)).dtype == np.float32


@given(seeds)
def test_weak_perspective_flips_y_and_nothing_else(seed):
    rng = np.random.default_rng(seed)
    rotation = matrix_from_euler(rng.uniform(-80, 80, (5, 3)))
    scale, translation = rng.uniform(0.1, 10, 5), rng.normal(size=(5, 3))
    pose = weak_perspective(rotation, scale, translation)
    points = rng.normal(size=(5, 6, 3))
    expected = scale[:, None, None] * (points @ rotation.transpose(0, 2, 1)) * FLIP_Y + translation[:, None]
    np.testing.assert_allclose(project(points, pose), expected, atol=1e-9)
    camera = decompose(FLIP_Y_MATRIX @ pose)
    np.testing.assert_allclose(camera.rotation, rotation, atol=1e-9)
    np.testing.assert_allclose(camera.scale, scale)
