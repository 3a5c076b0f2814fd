import json

import cv2
import numpy as np
import pytest

from ddfa.data.pseudo_labels.config import LabelConfig
from ddfa.data.pseudo_labels.labeller import PhotoLabeller
from ddfa.data.pseudo_labels.observation import observe
from ddfa.data.pseudo_labels.observed_fit import fit_observations
from ddfa.data.pseudo_labels.pipeline import label, label_part
from ddfa.data.pseudo_labels.teacher_map import joined, teacher_map
from ddfa.data.sets.manifest import PARTS
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError
from ddfa.geometry.pose import matrix_from_euler

POSE = np.column_stack([2 * np.diag([1.0, -1, 1]) @ matrix_from_euler(np.array([15.0, 5, 0])), [200, 220, 0]])


class Seer:
    """A teacher that sees the same points in every photo."""

    def __init__(self, points, spread=0.01):
        self.points, self.spread = points, spread

    def observe(self, photos, rois):
        n = len(photos)
        return np.tile(self.points, (n, 1, 1, 1)), np.full(n, self.spread, np.float32)


@pytest.fixture(scope="module")
def maps(head):
    return [teacher_map(head, head, vertices=200, seed=seed) for seed in (0, 1)]


def seen_by(mapping, depth=0.0):
    jaw = np.zeros((1, 52), np.float32)
    jaw[0, 24] = 0.5
    points = mapping.own.decode(np.full((1, 80), 0.3, np.float32), jaw)[0] @ POSE[:, :3].T + POSE[:, 3]
    moved = points + np.array([0, 0, depth])
    return moved.reshape(2, -1, 3).astype(np.float32)


def test_teachers_of_two_heads_are_fitted_together(head, maps):
    teachers = [[Seer(seen_by(maps[0]))], [Seer(seen_by(maps[1], depth=30))]]  # depth has no common origin
    seen, spread = observe(teachers, [np.zeros((8, 8, 3), np.uint8)], np.zeros((1, 4)))
    mapping = joined(maps)
    assert seen.shape == (1, 2, len(mapping.weights) // 2, 3)
    assert mapping.weights.sum() == pytest.approx(maps[0].weights.sum())
    found = fit_observations(mapping, head, seen)
    alone = fit_observations(maps[0], head, seen_by(maps[0])[None])
    np.testing.assert_allclose(found.pose[0, :2], alone.pose[0, :2], atol=0.5)
    np.testing.assert_allclose(found.expression, alone.expression, atol=0.1)
    assert spread[0] == pytest.approx(0.01, abs=1e-3)


def test_teachers_of_one_head_are_averaged_and_their_distance_counts(maps):
    points = seen_by(maps[0])
    seen, spread = observe([[Seer(points), Seer(points + np.float32([20, 0, 0]))]], [None], np.zeros((1, 4)))
    np.testing.assert_allclose(seen[0, ..., 0], points[..., 0] + 10, atol=1e-3)
    assert spread[0] > 0.02


def test_joining_one_map_changes_nothing(maps):
    one = joined(maps[:1])
    np.testing.assert_array_equal(one.own.mean, maps[0].own.mean)
    np.testing.assert_array_equal(one.weights, maps[0].weights)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), np.full((120, 120, 3), 90, np.uint8))
    (folder / "c.png").write_bytes(b"no picture")
    return folder


class InnerSeer:
    """A points teacher that sees the inner landmarks to the right of where the other teachers see them."""

    def __init__(self, shift):
        self.shift = np.float32([shift, 0])

    def observe(self, photos, landmarks):
        return landmarks[:, 17:].astype(np.float32) + self.shift


@pytest.fixture
def run_here(head, maps):
    """`label` in this process, with teachers that need no bundle."""

    def run(config, seer, *inner):
        photos = Photos(config.photos)
        labeller = PhotoLabeller(
            photos, head, maps[0], {"open": [seer]}, config.max_error, config.centred,
            points_teachers=inner, points_weight=config.points_weight,
        )  # fmt: skip
        (config.output / PARTS).mkdir(parents=True)
        label_part(labeller, (config.output / PARTS / "000000.npz", photos.names))
        return label(config)

    return run


def test_rejects_have_reasons_and_the_manifest_counts_them(photos, tmp_path, maps, run_here):
    config = LabelConfig(photos, (tmp_path / "teacher",), tmp_path / "out", centred=0.7)
    labels = run_here(config, Seer(seen_by(maps[0])))
    assert labels.names == ("a.png", "b.png")
    rejected = (config.output / "rejected.txt").read_text().splitlines()
    assert len(rejected) == 1 and rejected[0].startswith("c.png\t'c.png' is not a readable image")
    manifest = json.loads((config.output / "manifest.json").read_text())
    assert (manifest["pictures"], manifest["rejected"], manifest["made_by"]) == (2, 1, "ddfa data label")
    assert np.count_nonzero(labels.visibility == 0) == 2 * 4  # photos do not teach puffed cheeks, sneers, the tongue


def test_photos_on_which_teachers_disagree_are_rejected(photos, tmp_path, maps, run_here):
    config = LabelConfig(photos, (tmp_path / "teacher",), tmp_path / "out", centred=0.7)
    with pytest.raises(DataError, match=r"none of the 3 photos .* differ by 40 %"):
        run_here(config, Seer(seen_by(maps[0]), spread=0.4))
    assert not (config.output / "labels.npz").exists()


def test_points_teachers_move_the_inner_landmarks_and_their_distance_counts(photos, tmp_path, head, maps, run_here):
    configs = [LabelConfig(photos, (tmp_path / "t",), tmp_path / name, centred=0.7, points_weight=0.4) for name in "ab"]
    alone = run_here(configs[0], Seer(seen_by(maps[0])))
    both = run_here(configs[1], Seer(seen_by(maps[0])), InnerSeer(4), InnerSeer(16))
    moved = (both.landmarks(head) - alone.landmarks(head))[:, 17:, :2].mean(axis=(0, 1))
    np.testing.assert_allclose(moved, [4, 0], atol=1)  # 0.4 of the mean
    assert (both.fit_error > alone.fit_error + 0.01).all()
    np.testing.assert_allclose(both.expression, alone.expression, atol=1e-3)


def test_a_second_round_keeps_labels_that_differ_much(photos, tmp_path, maps, run_here):
    first = run_here(LabelConfig(photos, (tmp_path / "t",), tmp_path / "a", centred=0.7), Seer(seen_by(maps[0])))
    for name, shift, kept in (("b", 4, 0), ("c", 60, 2)):
        moved = Seer(seen_by(maps[0]) + np.float32([shift, 0, 0]))
        config = LabelConfig(photos, (tmp_path / "t",), tmp_path / name, centred=0.7, previous=tmp_path / "a")
        second = run_here(config, moved)
        assert json.loads((config.output / "manifest.json").read_text())["kept"] == kept
        assert (np.abs(second.pose - first.pose).max() < 1e-6) == (kept == 2)


def test_no_teacher_is_refused(tmp_path):
    with pytest.raises(DataError, match="--teacher"):
        label(LabelConfig(tmp_path, (), tmp_path / "out"))


def test_bad_settings_of_points_and_previous_labels_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"--points-weight 1\.5"):
        label(LabelConfig(tmp_path, (tmp_path,), tmp_path / "out", points_weight=1.5))
    with pytest.raises(DataError, match=r"labels\.npz does not exist"):
        label(LabelConfig(tmp_path, (tmp_path,), tmp_path / "out", previous=tmp_path / "none"))
    assert not (tmp_path / "out").exists()
