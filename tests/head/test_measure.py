import numpy as np
import pytest

from ddfa.errors import ImageError
from ddfa.geometry.perspective import Camera, Intrinsics, project_perspective
from ddfa.geometry.pose import matrix_from_euler
from ddfa.head.measure import head_poses, pose_points, pupils
from ddfa.head.model import HeadModel

from ..conftest import make_head


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.load()


def test_pupils_are_between_the_corners_of_the_eyes(head) -> None:
    eyes = pupils(head, np.zeros((2, 80), np.float32))
    assert eyes.shape == (2, 2, 3) and (eyes[:, 0, 0] < 0).all() and (eyes[:, 1, 0] > 0).all()
    corners = head.landmark_points.mean[[36, 39, 42, 45], 0]
    assert corners[0] < eyes[0, 0, 0] < corners[1] and corners[2] < eyes[0, 1, 0] < corners[3]
    assert pupils(make_head(), np.zeros((1, 5), np.float32)).shape == (1, 2, 3)  # a head without irises


@pytest.mark.parametrize("metres", [0.25, 0.5, 1.0, 3.0])
def test_distance_scale_and_pose_in_millimetres(head, metres: float) -> None:
    """The head of somebody whose pupils are 70 mm apart, at a known distance."""
    identity = np.random.default_rng(0).normal(0, 0.7, (1, 80)).astype(np.float32)
    expression = np.zeros((1, 52), np.float32)
    eyes, points = pupils(head, identity), pose_points(head).decode(identity, expression)
    scale = 70 / float(np.linalg.norm(eyes[0, 0] - eyes[0, 1]))
    rotation, camera = matrix_from_euler(np.array([35.0, -10, 8])), Camera(fov_deg=60, ipd_mm=70)
    translation = 1000 * metres * np.array([0.25, -0.15, -1])
    seen = project_perspective(scale * points[0], rotation, translation, camera.at((1280, 720)))
    pose = head_poses(points, seen[None], eyes, camera, (1280, 720))
    np.testing.assert_allclose(pose.rotation[0], rotation, atol=1e-4)
    np.testing.assert_allclose(pose.translation_mm[0], translation, atol=0.1)
    middle = scale * rotation @ eyes[0].mean(axis=0) + translation
    assert pose.distance_mm[0] == pytest.approx(float(np.linalg.norm(middle)), rel=1e-4)
    assert pose.reprojection_error_px[0] < 0.01


def test_no_faces_and_another_image_size(head) -> None:
    none = np.zeros((0, 80), np.float32)
    points = pose_points(head).decode(none, np.zeros((0, 52), np.float32))
    empty = head_poses(points, points[..., :2], pupils(head, none), Camera(fov_deg=50), (640, 480))
    assert [len(values) for values in empty] == [0, 0, 0, 0] and empty.rotation.shape == (0, 3, 3)
    camera = Camera(intrinsics=Intrinsics(900, 900, 640, 360), size=(1280, 720))
    with pytest.raises(ImageError, match="1280 x 720"):
        head_poses(points, points[..., :2], pupils(head, none), camera, (640, 640))
