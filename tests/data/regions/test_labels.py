import cv2
import numpy as np
import pytest

from ddfa.align import FaceAligner
from ddfa.data.pseudo_labels.mesh_points import OBSERVED_POINTS
from ddfa.data.pseudo_labels.mesh_scores import exclusive_gaze
from ddfa.data.pseudo_labels.mesh_teacher import MeshView
from ddfa.data.regions.labels import Corpus, RegionLabels, held_out, label_corpus
from ddfa.data.regions.tongues import draw_tongue
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError
from ddfa.head.open import load_open_head
from ddfa.images import read_image, write_image

NAMES = load_open_head().expression_names


def test_a_tenth_is_held_out_and_faces_of_one_photo_stay_together():
    names = [f"{number:06d}.jpg" for number in range(5000)]
    assert 0.08 < held_out(names).mean() < 0.12
    for photo in ("afw_1051618982", "helen_trainset_12345"):
        assert len({bool(held_out([f"{photo}_{face}.jpg"])[0]) for face in (1, 2, 3)}) == 1


def test_opposite_gaze_scores_are_bounded():
    scores = np.full((1, 52), 0.3, np.float32)
    scores[0, NAMES.index("eyeLookInLeft")] = 0.2
    scores[0, NAMES.index("eyeLookUpRight")] = 0.01
    result = exclusive_gaze(NAMES, scores)
    assert result[0, NAMES.index("eyeLookInLeft")] == pytest.approx(0.05)
    assert result[0, NAMES.index("eyeLookOutLeft")] == pytest.approx(0.3)
    assert result[0, NAMES.index("eyeLookUpRight")] == pytest.approx(0.01)
    assert result[0, NAMES.index("jawOpen")] == pytest.approx(0.3)


def test_labels_come_back_as_written(tmp_path):
    n = 2
    labels = RegionLabels(
        np.array(["a.jpg", "b.jpg"]),
        *(
            np.random.default_rng(0).random(shape).astype(np.float32)
            for shape in ((n, 68, 2), (n, 3), (n, 52), (n, 52))
        ),
        np.array([0.99, 0.5], np.float32),
        np.zeros((n, len(OBSERVED_POINTS), 2), np.float32),
    )
    labels.save(tmp_path / "labels.npz")
    read = RegionLabels.load(tmp_path / "labels.npz")
    for name, array in vars(labels).items():
        np.testing.assert_array_equal(vars(read)[name], array)
    np.testing.assert_array_equal(read.trusted, [True, False])
    with pytest.raises(DataError, match="does not exist"):
        RegionLabels.load(tmp_path / "others.npz")


def test_tongues_are_below_the_lips_and_longer_ones_have_higher_values():
    face = load_open_head().landmark_points.mean[:, :2] * [0.5, -0.5] + [55, 65]
    points = np.array([face[min(point, 67)] for point in OBSERVED_POINTS])
    image = np.full((130, 110, 3), 140, np.uint8)
    reach, shares = [], []
    for seed in range(8):
        drawn, share = draw_tongue(image, points, np.random.default_rng(seed))
        rows = np.flatnonzero((drawn != image).any(axis=(1, 2)))
        assert face[62, 1] - 6 < rows[0]
        columns = np.flatnonzero((drawn != image).any(axis=(0, 2)))
        assert face[48, 0] - 3 < columns[0] and columns[-1] < face[54, 0] + 3
        reach.append(rows[-1])
        shares.append(share)
    assert np.corrcoef(reach, shares)[0, 1] > 0.8
    assert draw_tongue(image, points * 0.01, np.random.default_rng(0))[1] == 0


class FakeTeacher:
    """A mesh teacher whose scores are all 0.5; counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def observe(self, photos, landmarks):
        self.calls += 1
        n = len(photos)
        points = np.zeros((n, len(OBSERVED_POINTS), 2), np.float32)
        return MeshView(points, np.full((n, 52), 0.5, np.float32), np.ones(n, np.float32))


def test_a_corpus_is_labelled_once(root, tmp_path):
    photo = cv2.resize(
        read_image(root / "samples/astronaut.jpg")[:260, 90:350], (128, 128), interpolation=cv2.INTER_AREA
    )
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png"):
        write_image(tmp_path / "photos" / name, photo)
    aligner, teacher = FaceAligner(threads=1, regions=False), FakeTeacher()
    labels, again = (
        label_corpus(Photos(tmp_path / "photos"), tmp_path / "out", "photos", aligner, teacher, 1.5) for _ in range(2)
    )
    assert teacher.calls == 2 and list(labels.names) == list(again.names) == ["a.png", "b.png"]
    corpora = Corpus.load_all(tmp_path / "out", (), held_out=False)
    np.testing.assert_array_equal(corpora[0].images[0], photo)
    np.testing.assert_array_equal(corpora[0].labels.scores, 0.5)
    expected = aligner(photo, landmarks=labels.landmarks[:1]).landmarks68[0, :, :2]
    assert np.abs(expected - labels.landmarks[0]).max() < 3  # a third step changes little


def test_photos_of_different_sizes_are_an_error(tmp_path):
    (tmp_path / "photos").mkdir()
    for side in (32, 48):
        write_image(tmp_path / "photos" / f"{side}.png", np.zeros((side, side, 3), np.uint8))
    aligner = FaceAligner(threads=1, regions=False)
    with pytest.raises(DataError, match="48 x 48 px, not 32 x 32"):
        label_corpus(Photos(tmp_path / "photos"), tmp_path / "out", "photos", aligner, FakeTeacher(), 1.5)


def test_a_folder_without_corpora_is_an_error(tmp_path):
    with pytest.raises(DataError, match="ddfa data regions"):
        Corpus.load_all(tmp_path, (), held_out=True)
