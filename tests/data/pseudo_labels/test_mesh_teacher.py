from pathlib import Path

import numpy as np
import pytest

from ddfa.data.pseudo_labels.mesh_points import OBSERVED_POINTS
from ddfa.data.pseudo_labels.mesh_teacher import MeshTeacher, crop_affine
from ddfa.data.registration.landmark_placement import MIRRORED
from ddfa.detect import default_detector
from ddfa.errors import DataError
from ddfa.images import read_image

ROOT = Path(__file__).resolve().parents[3]
TASK = ROOT / "reference" / "face_landmarker.task"


@pytest.fixture(scope="module")
def teacher(head):
    pytest.importorskip("openvino", reason="needs OpenVINO: pip install 'openddfa[train]'")
    if not TASK.is_file():
        pytest.skip("needs face_landmarker.task: run `make reference`")
    return MeshTeacher(TASK, head.expression_mirror)


@pytest.fixture(scope="module")
def portrait(head):
    """A photo and roughly where the landmarks are: those of the mean head in the detected box."""
    photo = read_image(ROOT / "samples" / "astronaut.jpg")
    x0, y0, x1, y1 = default_detector()(photo).boxes[0]
    points = head.landmark_points.mean[:, :2] * [1, -1]
    low, high = points.min(axis=0), points.max(axis=0)
    return photo, (points - (low + high) / 2) * (x1 - x0) / (high - low)[0] + [(x0 + x1) / 2, (y0 + 1.5 * y1) / 2.5]


def test_crop_makes_the_eyes_level_and_holds_the_face(head):
    points = head.landmark_points.mean[:, :2] * [1.5, -1.5]
    turn = np.array([[np.cos(0.6), -np.sin(0.6)], [np.sin(0.6), np.cos(0.6)]])
    affine = crop_affine(points @ turn.T + [300, 200])
    level = (points @ turn.T + [300, 200]) @ affine[:, :2].T + affine[:, 2]
    assert level[36:42, 1].mean() == pytest.approx(level[42:48, 1].mean())
    assert level[36, 0] < level[45, 0]
    assert (level > 20).all() and (level < 236).all()


def test_mesh_lies_on_the_face(teacher, portrait):
    photo, landmarks = portrait
    view = teacher.observe([photo], landmarks[None])
    assert view.points.shape == (1, len(OBSERVED_POINTS), 2) and view.scores.shape == (1, 52)
    assert view.presence[0] > 0.9
    eyes = [36, 39, 42, 45]
    distance = np.linalg.norm(view.points[0, [OBSERVED_POINTS.index(k) for k in eyes]] - landmarks[eyes], axis=1)
    assert distance.max() < 0.3 * np.linalg.norm(landmarks[36] - landmarks[45])


def test_a_smile_is_scored(teacher, portrait, head):
    photo, landmarks = portrait
    scores = dict(zip(head.expression_names, teacher.observe([photo], landmarks[None]).scores[0], strict=True))
    assert scores["mouthSmileLeft"] > 0.4 and scores["mouthSmileRight"] > 0.4
    assert scores["eyeBlinkLeft"] < 0.4 and scores["tongueOut"] == 0


def test_mirror_image_gives_the_mirrored_view(teacher, portrait, head):
    photo, landmarks = portrait
    last = photo.shape[1] - 1
    plain = teacher.observe([photo], landmarks[None])
    mirrored = teacher.observe([photo[:, ::-1]], (landmarks * [-1, 1] + [last, 0])[None, MIRRORED])
    np.testing.assert_allclose(mirrored.scores[:, head.expression_mirror], plain.scores, atol=0.05)
    left, right = OBSERVED_POINTS.index(42), OBSERVED_POINTS.index(39)
    np.testing.assert_allclose(mirrored.points[0, right], plain.points[0, left] * [-1, 1] + [last, 0], atol=0.5)


@pytest.mark.parametrize("content", [None, b"no zip"])
def test_another_file_is_an_error(tmp_path, head, content):
    pytest.importorskip("openvino", reason="needs OpenVINO: pip install 'openddfa[train]'")
    path = tmp_path / "face_landmarker.task"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"face_landmarker\.task"):
        MeshTeacher(path, head.expression_mirror)
