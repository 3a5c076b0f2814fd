import json

import cv2
import numpy as np
import pytest

from ddfa.align import FaceAligner
from ddfa.bench.jitter import Track, follow, read_video, score_jitter
from ddfa.bench.report import JSON_FILE
from ddfa.cli import main
from ddfa.detect import Detections
from ddfa.errors import DataError


def track_of(points):
    points = np.asarray(points, np.float32)
    return Track("toy", points, np.where(np.isnan(points[:, 0, 0]), np.nan, 10).astype(np.float32), 1)


@pytest.fixture
def face():
    return np.random.default_rng(0).uniform(0, 100, (68, 3))


def test_steady_motion_has_no_second_difference(face):
    moving = [face + np.array([3 * t, 4 * t, 0]) for t in range(6)]
    first, second = score_jitter(track_of(moving))
    size = np.sqrt(np.prod(np.ptp(face[:, :2], axis=0)))
    np.testing.assert_allclose(first.errors, 500 / size, rtol=1e-5)
    np.testing.assert_allclose(second.errors, 0, atol=1e-4)
    assert first.summary.counts == (4, 0, 0)


def test_alignment_takes_off_motion_and_zoom(face):
    moving = [(1 + 0.1 * t**2) * face + t**2 for t in range(5)]
    for score in score_jitter(track_of(moving), align=True):
        np.testing.assert_allclose(score.errors, 0, atol=1e-4)


def test_frames_beside_a_gap_do_not_count(face):
    points = np.stack([face] * 7)
    points[3] = np.nan
    first, _ = score_jitter(track_of(points))
    assert len(first.errors) == 2 and first.missed == 1


def detector(places):
    """A detector that finds a face wherever the frame's first pixel says."""
    boxes = {key: np.array([box], np.float32) for key, box in places.items()}
    return lambda image: Detections.from_boxes(boxes.get(int(image[0, 0, 0]), np.zeros((0, 4), np.float32)))


def frames(keys):
    return [np.full((200, 200, 3), key, np.uint8) for key in keys]


def test_a_face_is_followed_without_detection(toy_bundle):
    aligner = FaceAligner(toy_bundle, detector({7: (50, 50, 120, 120)}))
    followed = follow(aligner, frames([0, 7, 1, 2]))
    assert followed.missed == 1 and followed.redetected == 1
    detected = follow(aligner, frames([0, 7, 1, 7]), detected=True)
    assert detected.missed == 2 and detected.redetected == 2


def test_a_face_that_shrinks_away_is_looked_for_again(toy_bundle):
    aligner = FaceAligner(toy_bundle, detector({7: (50, 50, 60, 60)}))
    assert follow(aligner, frames([7, 7, 7])).redetected == 3


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for k in range(5):
        writer.write(np.full((48, 64, 3), (200, 10 * k, 0), np.uint8))
    writer.release()
    return path


def test_videos_are_rgb(video):
    pictures = list(read_video(video))
    assert len(pictures) == 5 and pictures[0].shape == (48, 64, 3) and pictures[0][0, 0, 2] > 150
    assert len(list(read_video(video, 2))) == 2


def test_command(root, toy_bundle, video, tmp_path):
    picture = cv2.resize(cv2.imread(str(root / "samples" / "astronaut.jpg")), (256, 256))
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 25, (256, 256))
    for _ in range(4):
        writer.write(picture)
    writer.release()
    words = ["bench", "jitter", str(toy_bundle.folder), "--video", str(video), "--detected"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0
    record = json.loads((tmp_path / "out" / JSON_FILE).read_text())
    assert record["frames"] == 4 and [r["of"] for r in record["results"]] == ["first difference", "second difference"]


def test_unreadable_video(tmp_path, toy_bundle):
    with pytest.raises(DataError, match="not a readable video"):
        list(read_video(tmp_path / "none.mp4"))
