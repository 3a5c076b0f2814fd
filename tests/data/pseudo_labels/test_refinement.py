import json

import numpy as np
import pytest

from ddfa.data.face_profiling import pipeline
from ddfa.data.face_profiling.pipeline import ProfileConfig, make_face_profiles, open_draw
from ddfa.data.pseudo_labels.refinement import LabelRefiner
from ddfa.data.pseudo_labels.teacher_map import teacher_map
from ddfa.data.sets.image_set import Sample
from ddfa.data.sets.manifest import MANIFEST_FILE
from ddfa.errors import DataError
from ddfa.geometry.pose import matrix_from_euler

POSE = np.column_stack([0.35 * np.diag([1.0, -1, 1]) @ matrix_from_euler(np.array([60.0, 5, 0])), [48, 50, 0]])


class Seer:
    """A teacher that sees the same points in every picture."""

    def __init__(self, points):
        self.points = points

    def observe(self, photos, rois):
        assert all(photo.dtype == np.uint8 for photo in photos)
        return np.tile(self.points, (len(photos), 1, 1, 1)), np.zeros(len(photos), np.float32)


@pytest.fixture(scope="module")
def mapping(head):
    return teacher_map(head, head, vertices=200)


def seen_by(mapping, identity, expression):
    points = mapping.own.decode(identity[None], expression[None])[0] @ POSE[:, :3].T + POSE[:, 3]
    return (points + np.array([0, 0, 25])).reshape(2, -1, 3).astype(np.float32)  # depth from another origin


@pytest.fixture
def sample(head):
    expression = np.zeros(52, np.float32)
    expression[[head.expression_names.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]] = 0.9
    return Sample(np.full((96, 96, 3), 90, np.uint8), POSE, np.zeros(80, np.float32), expression, 0.02, "a.png")


def distance(mapping, sample, seen):
    points = mapping.own.decode(sample.identity[None], sample.expression[None])[0] @ sample.pose[:2, :3].T
    return np.linalg.norm(points + sample.pose[:2, 3] - seen.reshape(-1, 3)[:, :2], axis=1).mean()


def test_labels_are_drawn_towards_what_teachers_see(head, mapping, sample):
    other = np.random.default_rng(0).normal(0, 1, 80).astype(np.float32)
    seen = seen_by(mapping, other, np.zeros(52, np.float32))  # no teacher sees closed eyes
    before = distance(mapping, sample, seen)
    left = {}
    for trust in (0.0, 0.5, 1.0):
        look = LabelRefiner(head, mapping, [[Seer(seen)]], trust)
        (corrected,) = look.correct([sample])
        left[trust] = distance(mapping, corrected, seen) / before
        np.testing.assert_allclose(corrected.expression, sample.expression, atol=0.1)
        assert corrected.source == sample.source and corrected.image is sample.image
        assert corrected.fit_error > sample.fit_error
    assert left[1.0] < 0.35 < left[0.5] < 0.65 and left[0.0] == pytest.approx(1, abs=0.05)


def test_what_teachers_see_alike_stays(head, mapping, sample):
    look = LabelRefiner(head, mapping, [[Seer(seen_by(mapping, sample.identity, sample.expression))]], 0.6)
    same = look.correct([sample] * 40)  # more than are seen at once
    assert len(same) == 40
    for corrected in same[::39]:
        np.testing.assert_allclose(corrected.pose[:2], POSE[:2], atol=0.05)
        np.testing.assert_allclose(corrected.expression, sample.expression, atol=0.01)
        assert corrected.fit_error == pytest.approx(0.02, abs=1e-4)


def test_teachers_change_labels_and_not_images(labelled, mapping, tmp_path, monkeypatch):
    seen = seen_by(mapping, np.zeros(80, np.float32), np.zeros(52, np.float32))
    monkeypatch.setattr(pipeline, "open_teachers", lambda bundles, maps, views: {"open": [Seer(seen)]})
    settings = {"worst": 0.0, "picture": 96}
    plain = open_draw(ProfileConfig(labelled, tmp_path / "a", **settings), {})
    config = ProfileConfig(labelled, tmp_path / "b", teacher=(tmp_path / "teacher",), **settings)
    taught = open_draw(config, {"open": mapping})
    for one, two in zip(*(draw(np.random.default_rng(0), 2) for draw in (plain, taught)), strict=True):
        np.testing.assert_array_equal(one.image, two.image)
        assert two.fit_error > one.fit_error and not np.allclose(one.pose, two.pose, atol=1e-3)


def test_without_teachers_the_manifest_names_no_trust(labelled, tmp_path):
    config = ProfileConfig(labelled, tmp_path / "out", count=1, worst=0.0, workers=1, picture=48)
    make_face_profiles(config)
    assert not {"teacher", "trust"} & set(json.loads((config.output / MANIFEST_FILE).read_text())["settings"])


def test_trust_is_a_share(labelled, tmp_path):
    with pytest.raises(DataError, match=r"--trust 1\.5"):
        make_face_profiles(ProfileConfig(labelled, tmp_path / "out", trust=1.5))
    assert not (tmp_path / "out").exists()
