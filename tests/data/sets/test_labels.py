import numpy as np
import pytest

from ddfa.data.pseudo_labels.fit import FitOptions, fit, procrustes, to_head
from ddfa.data.pseudo_labels.teacher_map import neutral_offset
from ddfa.data.sets.labels import Labels, label_in_crop
from ddfa.errors import DataError
from ddfa.geometry.pose import matrix_from_euler
from ddfa.head.linear import LinearPoints
from ddfa.head.model import HeadModel
from ddfa.regress.convention import PixelConvention
from ddfa.regress.layout import ParamLayout


@pytest.fixture(scope="module")
def head():
    return HeadModel.load()


def random_label(head, rng):
    rotation = matrix_from_euler(rng.uniform(-40, 40, 3))
    pose = np.column_stack([0.8 * np.diag([1, -1, 1]) @ rotation, rng.uniform(60, 100, 3)])
    return pose, rng.normal(size=80) * 0.5, rng.uniform(0, 0.6, 52)


def test_crop_label_draws_the_landmarks_where_the_crop_shows_them(head):
    rng = np.random.default_rng(1)
    pose, identity, expression = random_label(head, rng)
    angle = 0.4
    linear = 0.7 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    affine = np.column_stack([linear, [12.0, -7.0]])
    params = label_in_crop(pose, identity, expression, affine, False, 120, head)
    camera, own_identity, own_expression = ParamLayout(80, 52).split(params[None])
    shape = head.decode_landmarks(own_identity, own_expression)
    points = np.einsum("nij,nkj->nki", camera[..., :3], shape) + camera[:, None, :, 3]
    crop = PixelConvention.OPEN.to_image(points, np.array([[-0.5, -0.5, 119.5, 119.5]]), 120)[0]
    image = head.decode_landmarks(identity[None], expression[None])[0] @ pose[:, :3].T + pose[:, 3]
    np.testing.assert_allclose(crop[:, :2], image[:, :2] @ linear.T + affine[:, 2], atol=2e-3)


def test_mirrored_crop_label_is_the_mirrored_head(head):
    rng = np.random.default_rng(2)
    pose, identity, expression = random_label(head, rng)
    affine = np.array([[-1.0, 0, 119], [0, 1.0, 0]])
    params = label_in_crop(pose, identity, expression, affine, True, 120, head)
    camera, own_identity, own_expression = ParamLayout(80, 52).split(params[None])
    assert np.linalg.det(camera[0, :, :3]) > 0
    mirrored = head.decode(own_identity, own_expression)[0] @ camera[0, :, :3].T + camera[0, :, 3]
    image = head.decode(identity[None], expression[None])[0] @ pose[:, :3].T + pose[:, 3]
    expected_x, expected_y = 119 - image[:, 0], 119 - image[:, 1]
    order = head.mirror_vertices
    np.testing.assert_allclose(mirrored[order, 0], expected_x, atol=0.15)
    np.testing.assert_allclose(mirrored[order, 1], expected_y, atol=0.15)


def test_procrustes_recovers_poses():
    rng = np.random.default_rng(3)
    shape = rng.normal(0, 40, (2, 30, 3))
    rotation = matrix_from_euler(np.array([[50.0, -20, 10], [-80, 15, 30]]))
    pose = np.concatenate([1.3 * np.diag([1, -1, 1]) @ rotation, rng.normal(80, 5, (2, 3, 1))], axis=2)
    seen = np.einsum("nij,nkj->nki", pose[..., :3], shape) + pose[:, None, :, 3]
    share = np.full(30, 1 / 30)
    np.testing.assert_allclose(procrustes(shape, seen, share), pose, atol=1e-9)
    np.testing.assert_allclose(to_head(pose, seen), shape, atol=1e-9)


def test_fit_recovers_a_head_it_drew(head):
    rng = np.random.default_rng(4)
    pose, identity, _ = random_label(head, rng)
    expression = np.zeros(52)
    expression[head.expression_names.index("jawOpen")] = 0.7
    points = head.subset(np.flatnonzero(head.regions["face"])[::8].astype(np.int32))
    seen = points.decode(identity[None], expression[None])[0] @ pose[:, :3].T + pose[:, 3]
    options = FitOptions(noise_mm=0.2, iterations=10)  # the points are exact, so trust them
    found = fit(points, seen[None], np.ones(len(seen)), head.identity_std, options)
    assert np.abs(found.residual).mean() < 0.3  # mm
    assert found.expression[0, head.expression_names.index("jawOpen")] == pytest.approx(0.7, abs=0.15)
    assert found.expression.min() >= 0 and found.expression.max() <= 1


def test_labels_survive_the_disk(tmp_path, head):
    rng = np.random.default_rng(5)
    zeros = np.zeros(3, np.float32)
    pose = rng.normal(size=(3, 3, 4)).astype(np.float32)
    labels = Labels(("a", "b", "c"), pose, np.ones((3, 80), np.float32), np.ones((3, 52), np.float32), zeros, "open")
    labels.save(tmp_path / "labels.npz")
    again = Labels.load(tmp_path / "labels.npz")
    assert again.names == labels.names and again.head == "open"
    np.testing.assert_array_equal(again.pose, labels.pose)
    assert again.select(np.array([2])).names == ("c",)


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_bad_label_files_are_named(tmp_path, content):
    path = tmp_path / "labels.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"labels\.npz"):
        Labels.load(path)


def test_neutral_offset_lets_the_teachers_neutral_face_fit_without_expression(head):
    rng = np.random.default_rng(6)
    chosen = np.flatnonzero(head.regions["face"])[::40].astype(np.int32)
    own = head.subset(np.concatenate([chosen, head.mirror_vertices[chosen]]))
    bump = rng.normal(0, 2, (len(chosen), 3)).astype(np.float32)  # mm, a neutral face our modes cannot make
    teacher = LinearPoints(head.mean[chosen] + bump, np.zeros((0, len(chosen), 3), np.float32), 0)
    offset = neutral_offset(own, teacher, head.identity_std)
    plain, mirrored = np.split(offset, 2)
    np.testing.assert_allclose(mirrored, plain * [-1, 1, 1], atol=1e-5)
    moved = LinearPoints(own.mean + offset, own.bases, own.identities)
    seen = np.concatenate([teacher.mean, teacher.mean * np.float32([-1, 1, 1])]) * [1, -1, 1] + 50
    found = fit(moved, seen[None], np.ones(len(seen)), head.identity_std)
    assert found.expression.max() < 0.1
    assert np.abs(found.residual).mean() < 0.5
