import json
from fractions import Fraction

import cv2
import numpy as np
import pytest

from ddfa.align import FaceAligner
from ddfa.bench.jitter import Track, follow, recorded, score_jitter
from ddfa.bench.report import JSON_FILE
from ddfa.cli import main
from ddfa.detect import Detections
from ddfa.errors import DataError
from ddfa.images import read_image
from ddfa.video.io.frames import open_video


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


def write_video(path, images, times, degrees=0):
    """Write images at the given times, s, with a rotation in the metadata."""
    av = pytest.importorskip("av", reason="needs the extra `video`")
    height, width = images[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        if degrees:
            stream.set_display_rotation(degrees)
        for image, time in zip(images, times, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_rotation_and_times_come_from_the_file(tmp_path):
    images = [np.full((48, 64, 3), (10 * k, 0, 200), np.uint8) for k in range(4)]
    times = [0, 0.04, 0.2, 0.24]
    source = open_video(write_video(tmp_path / "clip.mp4", images, times, degrees=90))
    found = list(source)
    assert [frame.time for frame in found] == pytest.approx(times)
    assert found[0].image.shape == (64, 48, 3) and found[0].image[30, 20, 2] > 150  # upright, RGB


def test_command(root, toy_bundle, tmp_path):
    image = cv2.resize(read_image(root / "samples" / "astronaut.jpg"), (256, 256))
    video = write_video(tmp_path / "clip.mp4", [image] * 5, np.arange(5) / 25)
    words = ["bench", "jitter", str(toy_bundle.folder), "--video", str(video), "--detected", "--limit", "4"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0
    record = json.loads((tmp_path / "out" / JSON_FILE).read_text())
    assert record["frames"] == 4 and [r["of"] for r in record["results"]] == ["first difference", "second difference"]


def test_a_camera_is_refused():
    class Live:
        live, name = True, "camera 0"

    with pytest.raises(DataError, match="is a camera"):
        recorded(Live())
