import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.geometry.perspective import Camera, Intrinsics, fit_perspective, project_perspective
from ddfa.geometry.pose import matrix_from_euler
from ddfa.geometry.rotation import vector_from_matrix
from ddfa.head.measure import pose_points
from ddfa.head.model import HeadModel

seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    head = HeadModel.load()
    return pose_points(head).mean.astype(np.float64)


def angle_deg(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.rad2deg(np.linalg.norm(vector_from_matrix(first @ second.T))))


def random_scene(rng: np.random.Generator, distance: float):
    """A camera with any focal length, and a head anywhere in its image, in any pose that shows the face."""
    width, height = 1280, 960
    fov = rng.uniform(40, 95)
    camera = Camera(fov_deg=fov).at((width, height))
    camera = camera._replace(cx=camera.cx + rng.uniform(-50, 50), fy=camera.fy * rng.uniform(0.9, 1.1))
    across = rng.uniform(-0.5, 0.5, 2) * [width / camera.fx, height / camera.fy] * distance
    return camera, matrix_from_euler(rng.uniform([-85, -50, -180], [85, 50, 180])), np.array([*across, -distance])


@given(seeds, st.floats(250, 3000))
def test_pose_from_exact_positions(points, seed, distance):
    camera, rotation, translation = random_scene(np.random.default_rng(seed), distance)
    seen = project_perspective(points, rotation, translation, camera)
    pose = fit_perspective(points, seen, camera)
    assert angle_deg(pose.rotation, rotation) < 1e-3 and pose.error < 1e-4
    np.testing.assert_allclose(pose.translation, translation, atol=1e-4 * distance)
    np.testing.assert_allclose(pose.rotation @ pose.rotation.T, np.eye(3), atol=1e-12)


@given(seeds, st.floats(250, 3000))
def test_pose_from_positions_with_noise(points, seed, distance):
    """Rotation within 0.5°, distance within 1 %, with 1 px of noise; the error is that noise."""
    rng = np.random.default_rng(seed)
    camera, rotation, translation = random_scene(rng, distance)
    seen = project_perspective(points, rotation, translation, camera)
    face = float(np.ptp(seen, axis=0).max())
    pose = fit_perspective(points, seen + rng.normal(0, face / 300, seen.shape), camera)
    assert angle_deg(pose.rotation, rotation) < 0.5
    assert np.linalg.norm(pose.translation) == pytest.approx(np.linalg.norm(translation), rel=0.01)
    assert pose.error == pytest.approx(np.sqrt(2) * face / 300, rel=0.15)


@given(seeds, st.floats(0.5, 2))
def test_unit_and_image_size_do_not_matter(points, seed, factor):
    camera, rotation, translation = random_scene(np.random.default_rng(seed), 600)
    seen = project_perspective(points, rotation, translation, camera)
    pose = fit_perspective(factor * points, seen, camera)
    np.testing.assert_allclose(pose.translation, factor * translation, rtol=1e-4, atol=1e-2)
    known = Camera(intrinsics=camera, size=(1280, 960))
    enlarged = fit_perspective(points, (seen + 0.5) * 2 - 0.5, known.at((2560, 1920)))
    np.testing.assert_allclose(enlarged.rotation, rotation, atol=1e-4)
    np.testing.assert_allclose(enlarged.translation, translation, rtol=1e-4, atol=1e-2)


def test_projection_is_that_of_opencv():
    import cv2

    rng = np.random.default_rng(0)
    camera, rotation, translation = random_scene(rng, 500)
    points = rng.normal(0, 60, (20, 3))
    flip = np.diag([1.0, -1.0, -1.0])
    matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
    expected = cv2.projectPoints(points, cv2.Rodrigues(flip @ rotation)[0], flip @ translation, matrix, None)[0][:, 0]
    np.testing.assert_allclose(project_perspective(points, rotation, translation, camera), expected, atol=1e-6)


def test_field_of_view():
    camera = Camera(fov_deg=90).at((640, 480))
    assert camera == pytest.approx((320, 320, 319.5, 239.5))
    edges = project_perspective(np.array([[-1.0, 0, 0], [1.0, 0, 0]]), np.eye(3), np.array([0, 0, -1.0]), camera)
    np.testing.assert_allclose(edges[:, 0], [-0.5, 639.5])


def test_positions_that_are_not_finite(points):
    pose = fit_perspective(points, np.full((len(points), 2), np.nan), Intrinsics(500, 500, 320, 240))
    assert np.isnan(pose.rotation).all() and np.isnan(pose.error)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"fov_deg": 60, "intrinsics": Intrinsics(1, 1, 0, 0)},
        {"fov_deg": 0},
        {"fov_deg": float("nan")},
        {"intrinsics": Intrinsics(-1, 1, 0, 0)},
        {"intrinsics": Intrinsics(1, 1, float("inf"), 0)},
        {"fov_deg": 60, "ipd_mm": 0},
    ],
)
def test_bad_cameras(values):
    with pytest.raises(ValueError, match=r"give|positive"):
        Camera(**values)


def test_intrinsics_of_another_image():
    with pytest.raises(ValueError, match="cropped or rotated"):
        Camera(intrinsics=Intrinsics(900, 900, 640, 360), size=(1280, 720)).at((720, 1280))
