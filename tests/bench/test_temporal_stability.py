import json

import cv2
import numpy as np
import pytest

from ddfa.align import FaceAligner
from ddfa.bench import temporal_stability
from ddfa.bench.report import JSON_FILE
from ddfa.bench.synthetic_clip import SyntheticClip, deviation
from ddfa.cli import main
from ddfa.detect import Detections
from ddfa.errors import DataError
from ddfa.video.io.source import Frame
from ddfa.video.tracking.follower import TrackedDetection

from ..face_factory import place_faces


@pytest.fixture
def moving():
    photo = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    return SyntheticClip(cv2.blur(photo, (9, 9)), np.array([20.0, 10, 60, 50]), 100)


def carried(moving, points, late=0.0):
    matrices = [moving.matrix(k - late) for k in range(moving.count)]
    return np.stack([points @ m[:, :2].T + m[:, 2] for m in matrices])


@pytest.fixture
def points():
    return np.random.default_rng(1).uniform(20, 60, (68, 2))


def test_lag_and_noise_are_found(moving, points):
    exact = deviation(moving, carried(moving, points))
    assert (exact.rest, exact.moving, exact.lag) == (pytest.approx(0), pytest.approx(0), pytest.approx(0))
    late = deviation(moving, carried(moving, points, late=1.5))
    assert late.lag == pytest.approx(1.5, abs=0.1) and late.moving > 5 * late.rest
    noisy = carried(moving, points) + np.random.default_rng(2).normal(0, 2, (100, 68, 2))
    size = 160 * np.sqrt(np.prod(np.ptp(points, axis=0))) / 40  # px of the face in a frame
    assert deviation(moving, noisy).rest == pytest.approx(100 * 2 * np.sqrt(2) / size, rel=0.05)


def test_the_picture_goes_where_the_matrix_says(moving):
    frames = list(moving)
    assert len(frames) == len(moving) == 100 and frames[60].time == pytest.approx(60 / 25)
    rest = frames[5].image.astype(float) - frames[40].image
    assert 1 < rest.std() < 6  # the noise is new, the place is the same
    matrix = moving.matrix(70)
    again = cv2.warpAffine(frames[70].image, matrix, (80, 60), flags=cv2.INTER_AREA | cv2.WARP_INVERSE_MAP)
    assert np.abs(again[20:40, 30:50].astype(float) - moving.photo[20:40, 30:50]).mean() < 6


def test_command(root, tmp_path):
    photo = str(root / "samples" / "astronaut.jpg")
    words = ["bench", "jitter", "--moved", photo, "--smoothed", "--limit", "60", "--threads", "1"]
    assert main([*words, "--output", str(tmp_path)]) == 0
    rows = {row["of"]: row for row in json.loads((tmp_path / JSON_FILE).read_text())["results"]}
    assert list(rows) == ["frame by frame", "tracked", "One-Euro", "look ahead 4"]
    assert rows["frame by frame"]["calmer_second"] == 1
    assert rows["One-Euro"]["calmer_second"] > 2 and rows["look ahead 4"]["calmer_second"] > 4
    assert rows["One-Euro"]["error_rest"] < rows["frame by frame"]["error_rest"]
    assert abs(rows["look ahead 4"]["lag"]) < 0.3 and rows["One-Euro"]["lag"] < 1


def test_one_source(tmp_path, capfd):
    assert main(["bench", "jitter"]) == 2
    assert "--video or --moved" in capfd.readouterr().err


def test_smoothing_starts_again_after_a_gap(toy_bundle, monkeypatch):
    """A face that is hidden for a while is NaN there, and the frames after it do not depend on those before."""
    aligner = FaceAligner(toy_bundle, threads=1)
    faces = [place_faces(aligner.head, [(yaw, 0, 0)]) for yaw in (10, 10, 10, 40, 40, 40)]
    frames = [Frame(np.zeros((8, 8, 3), np.uint8), k / 25, k) for k in range(7)]
    shown = (
        [[TrackedDetection(0, face)] for face in (*faces[:3],)] + [[]] + [[TrackedDetection(0, f)] for f in faces[3:]]
    )
    monkeypatch.setattr(temporal_stability, "Follower", lambda aligner: lambda frame: shown[frame.index])
    tracks = temporal_stability.smoothed_tracks(aligner, frames, (0, 2))
    assert [track.model for track in tracks] == ["tracked", "One-Euro", "look ahead 2"]
    for track in tracks:
        np.testing.assert_allclose(track.yaw_deg, [10, 10, 10, np.nan, 40, 40, 40], atol=1e-3)
        assert track.missed == 1


def test_a_video_without_a_face(toy_bundle, monkeypatch):
    monkeypatch.setattr(temporal_stability, "Follower", lambda aligner: lambda frame: [])
    frame = Frame(np.zeros((8, 8, 3), np.uint8), 0, 0)
    with pytest.raises(DataError, match="shows no face"):
        temporal_stability.smoothed_tracks(FaceAligner(toy_bundle, threads=1), [frame])


def test_the_largest_face_of_a_photo_moves():
    boxes = np.array([[0, 0, 10, 10], [20, 20, 60, 60]], np.float32)
    photo = np.zeros((80, 80, 3), np.uint8)
    clip = SyntheticClip.of_largest_face(photo, lambda _: Detections.from_boxes(boxes), 30)
    np.testing.assert_array_equal(clip.box, boxes[1])
    assert len(clip) == 30
    with pytest.raises(DataError, match=r"x\.jpg shows no face"):
        SyntheticClip.of_largest_face(photo, lambda _: Detections.from_boxes(boxes[:0]), 30, "x.jpg")
