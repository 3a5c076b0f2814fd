import io
import tarfile

import numpy as np
import pytest

from ddfa.data.pseudo_labels.human_landmarks import read_landmarks
from ddfa.data.pseudo_labels.observed_fit import fit_observations
from ddfa.data.pseudo_labels.teacher_map import teacher_map
from ddfa.errors import DataError
from ddfa.geometry.pose import matrix_from_euler

NAMES = ("a/one.jpg", "a/two.jpg")


def pose(yaw=0.0):
    linear = 2 * np.diag([1.0, -1, 1]) @ matrix_from_euler(np.array([yaw, 0, 0]))
    return np.column_stack([linear, [200, 220, 0]])


def pts(points):
    return "version: 1\nn_points: {}\n{{\n{}\n}}\n".format(len(points), "\n".join(f"{x} {y}" for x, y in points))


@pytest.fixture
def points():
    return np.arange(136, dtype=np.float32).reshape(68, 2) + 1


@pytest.fixture(params=["folder", "tar", "npz"])
def annotations(request, tmp_path, points):
    if request.param == "npz":
        path = tmp_path / "points.npz"
        np.savez(path, names=np.array(["a/two.jpg"]), landmarks68=points[None] - 1)
        return path
    content = pts(points).encode()
    if request.param == "folder":
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "two.pts").write_bytes(content)
        return tmp_path
    path = tmp_path / "points.tar"
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo("a/two.pts")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return path


def test_annotations_are_matched_by_name(annotations, points):
    found = read_landmarks(annotations, NAMES)
    assert np.isnan(found[0]).all()
    np.testing.assert_array_equal(found[1], points - 1)


def test_bad_annotations_are_refused(tmp_path, points):
    with pytest.raises(DataError, match="none of the photos"):
        read_landmarks(tmp_path, NAMES)
    with pytest.raises(DataError, match="does not exist"):
        read_landmarks(tmp_path / "missing.npz", NAMES)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.pts").write_text(pts(points[:5]))
    with pytest.raises(DataError, match="5 points"):
        read_landmarks(tmp_path, NAMES)


@pytest.fixture(scope="module")
def case(head):
    """Teachers that see the mean head, and an annotation of one with an open jaw."""
    mapping = teacher_map(head, head, vertices=200)
    seen = mapping.own.mean @ pose()[:, :3].T + pose()[:, 3]
    expression = np.zeros((1, 52), np.float32)
    expression[0, head.expression_names.index("jawOpen")] = 0.4
    human = head.decode_landmarks(np.zeros((1, 80)), expression)[0] @ pose()[:2, :3].T + pose()[:2, 3]
    return mapping, seen.reshape(1, 2, -1, 3).astype(np.float32), human[None].astype(np.float32)


def mouth(head, found):
    y = head.decode_landmarks(found.identity, found.expression)[:, :, 1]
    return y[:, 62] - y[:, 66]


def test_annotations_open_the_mouth_and_outliers_do_not_break_it(head, case):
    mapping, seen, human = case
    teachers, both = fit_observations(mapping, head, seen), fit_observations(mapping, head, seen, human=human)
    assert mouth(head, both)[0] > mouth(head, teachers)[0] + 1.5  # mm
    wrong = human.copy()
    wrong[:, 36] += 80  # px; 40 mm
    robust = fit_observations(mapping, head, seen, human=wrong)
    np.testing.assert_allclose(robust.pose[0, :2, 3], both.pose[0, :2, 3], atol=2)


def test_photos_without_annotation_keep_their_fit(head, case):
    mapping, seen, human = case
    twice = np.concatenate([seen, seen])
    found = fit_observations(mapping, head, twice, human=np.concatenate([human, np.full_like(human, np.nan)]))
    np.testing.assert_allclose(found.pose[1], fit_observations(mapping, head, seen).pose[0], atol=1e-3)
    assert found.residual.shape == (2, len(mapping.weights), 3)
