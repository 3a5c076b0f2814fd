import shutil
from dataclasses import replace

import numpy as np
import pytest

from ddfa.data.face_profiling.pipeline import ProfileConfig, make_face_profiles
from ddfa.data.face_profiling.rotation import content, corner, facing, fill_frame, rotate_face, turn
from ddfa.data.sets.dataset import LABEL_FILE, LabelledPhotos
from ddfa.data.sets.labels import Labels
from ddfa.geometry.pose import decompose, euler_from_matrix, matrix_from_euler
from ddfa.raster.blending import fill_holes


def dome(size=81, radius=30.0):
    """A half sphere in the middle of an image, as a mesh in image space, clockwise in pixels."""
    grid = np.linspace(-1, 1, 41)
    x, y = np.meshgrid(grid, grid)
    inside = x**2 + y**2 <= 1
    z = np.sqrt(np.clip(1 - x**2 - y**2, 0, None))
    vertices = np.stack([x, y, z], -1).reshape(-1, 3) * radius + [size // 2, size // 2, 0]
    index = np.arange(41 * 41).reshape(41, 41)
    a, b, c, d = (index[i : 40 + i, j : 40 + j].ravel() for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)))
    triangles = np.concatenate([np.stack([a, c, b], 1), np.stack([b, c, d], 1)])
    return vertices.astype(np.float32), triangles[inside.ravel()[triangles].all(axis=1)].astype(np.int32)


def photo_of(vertices, size=81):
    rng = np.random.default_rng(0)
    return np.kron(rng.integers(0, 255, (9, 9, 3), dtype=np.uint8), np.ones((size // 9, size // 9, 1), np.uint8))


def test_no_turn_returns_the_photo():
    vertices, triangles = dome()
    photo = photo_of(vertices)
    same = rotate_face(photo, vertices, triangles, np.eye(3, 4))
    assert (np.abs(same.astype(int) - photo) > 2).mean() < 0.01


def test_texture_moves_with_the_mesh():
    vertices, triangles = dome()
    photo = np.full((81, 81, 3), 90, np.uint8)
    photo[38:43, 38:43] = [250, 20, 20]  # a mark on the top of the dome
    centre = np.array([40.0, 40.0, 0.0])
    transform = turn(matrix_from_euler(np.array([30.0, 0, 0])), centre)
    top = np.array([40.0, 40.0, 30.0])
    goal = transform[:, :3] @ top + transform[:, 3]
    turned = rotate_face(photo, vertices, triangles, transform)
    marked = np.argwhere(turned[..., 0].astype(int) - turned[..., 1] > 100)[:, ::-1]
    assert abs(goal[0] - 40) > 10
    np.testing.assert_allclose(marked.mean(axis=0), goal[:2], atol=1.5)


def test_the_side_that_turns_away_shows_the_backdrop():
    vertices, triangles = dome()
    backdrop = np.zeros((81, 81, 3), np.uint8)
    transform = turn(matrix_from_euler(np.array([50.0, 0, 0])), np.array([40.0, 40.0, 0.0]))
    turned = rotate_face(np.full((81, 81, 3), 200, np.uint8), vertices, triangles, transform, backdrop)
    side = np.sign(transform[0, 2])  # where depth goes: the dome's front moves there, past its own outline
    away, towards = turned[40, ::-1], turned[40]
    if side < 0:
        away, towards = towards, away
    assert away[:8].max() == 0  # backdrop, not the photo's margin squeezed to stripes
    assert towards[:8].min() == 200


def test_black_bars_take_the_colours_beside_them():
    photo = np.zeros((60, 60, 3), np.uint8)
    photo[10:40, 5:60] = 150
    photo[10:12, 5:60] = 40  # the soft edge that compression leaves
    filled = fill_frame(photo)
    assert (filled == 150).mean() > 0.95
    np.testing.assert_array_equal(filled[12:38, 7:], photo[12:38, 7:])
    dark = np.zeros((20, 20, 3), np.uint8)
    np.testing.assert_array_equal(fill_frame(dark), dark)
    assert content(photo) == (slice(12, 38), slice(7, 60))
    bright = np.full((20, 20, 3), 90, np.uint8)
    np.testing.assert_array_equal(fill_frame(bright), bright)


def test_corners_leave_the_middle_out():
    photo = np.full((80, 80, 3), 60, np.uint8)
    photo[40:, 30:50] = 255
    for seed in range(8):
        cut = corner(photo, np.random.default_rng(seed))
        assert cut.shape == photo.shape and cut.max() == 60


def test_triangles_that_look_away_are_dropped():
    vertices, triangles = dome()
    assert len(facing(vertices, triangles)) == len(triangles)
    assert len(facing(vertices, triangles[:, ::-1])) == 0


def test_fill_holes_keeps_what_is_covered():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (33, 40, 3), dtype=np.uint8)
    covered = rng.random((33, 40)) < 0.5
    filled = fill_holes(np.where(covered[..., None], picture, 0), covered)
    np.testing.assert_array_equal(filled[covered], picture[covered])
    flat = fill_holes(np.full((20, 20, 3), 77, np.uint8) * covered[:20, :20, None], covered[:20, :20])
    np.testing.assert_allclose(flat, 77, atol=1)


def test_profiles_are_turned_and_labelled(labelled, head, tmp_path):
    config = ProfileConfig(labelled, tmp_path / "out", count=6, nods=0.0, frontal=0.0, worst=0.0, workers=1, picture=96)
    labels = make_face_profiles(config)
    data = LabelledPhotos.open(config.output, head)
    assert len(labels) == 6 and data.photos.read(labels.names[0]).shape == (96, 96, 3)
    camera = np.diag([1.0, -1.0, 1.0]) @ labels.pose
    yaw = euler_from_matrix(decompose(camera).rotation)[:, 0]
    assert (np.abs(yaw) > 28).all() and (np.abs(yaw) < 93).all()
    low, high = data.landmarks[..., :2].min(axis=1), data.landmarks[..., :2].max(axis=1)
    np.testing.assert_allclose((low + high) / 2, 47.5, atol=0.1)
    assert np.sqrt(2) * (high - low).max(axis=1) == pytest.approx(96 / 1.35, rel=1e-3)


def test_profiles_resume(labelled, tmp_path):
    config = ProfileConfig(labelled, tmp_path / "out", count=2, worst=0.0, workers=1, picture=48)
    first = make_face_profiles(config)
    np.testing.assert_array_equal(make_face_profiles(config).pose, first.pose)


def test_weights_of_units_are_those_of_the_photo(labelled, tmp_path):
    own_copy = shutil.copytree(labelled, tmp_path / "labelled")  # other tests read the original
    labels = Labels.load(own_copy / LABEL_FILE)
    weights = np.random.default_rng(0).uniform(0, 1, labels.expression.shape).astype(np.float32)
    replace(labels, visibility=weights).save(own_copy / LABEL_FILE)
    turned = make_face_profiles(ProfileConfig(own_copy, tmp_path / "out", count=3, worst=0.0, workers=1, picture=48))
    own = [labels.names.index(source) for source in turned.sources]
    np.testing.assert_allclose(turned.visibility, weights[own], atol=1e-3)


def test_frontal_pictures_keep_the_pose_and_change_the_lids(labelled, head, tmp_path):
    settings = {"count": 8, "worst": 0.0, "workers": 1, "picture": 96}
    labels = make_face_profiles(ProfileConfig(labelled, tmp_path / "out", frontal=1.0, **settings))
    data = LabelledPhotos.open(labelled, head)
    own = [data.labels.names.index(source) for source in labels.sources]
    camera = np.diag([1.0, -1.0, 1.0]) @ labels.pose
    yaw = euler_from_matrix(decompose(camera).rotation)[:, 0]
    assert (np.abs(yaw - data.yaw_deg[own]) < 10.5).all()
    np.testing.assert_array_equal(labels.identity, data.labels.identity[own])
    changed = np.abs(labels.expression - data.labels.expression[own]).max(axis=1) > 0.02
    assert changed.any()


def test_mouths_change_alone(labelled, head, tmp_path):
    settings = {"count": 4, "worst": 0.0, "workers": 1, "picture": 64}
    labels = make_face_profiles(
        ProfileConfig(labelled, tmp_path / "out", frontal=0.0, lids=0.0, mouths=1.0, **settings)
    )
    data = LabelledPhotos.open(labelled, head)
    own = [data.labels.names.index(source) for source in labels.sources]
    difference = labels.expression - data.labels.expression[own]
    eyes = np.array([name.startswith("eye") for name in head.expression_names])
    np.testing.assert_array_equal(difference[:, eyes], 0)
    assert (np.abs(difference[:, ~eyes]).max(axis=1) > 0.02).any()
