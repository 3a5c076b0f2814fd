"""Frames out of files, pictures and cameras, good ones and bad ones."""

from pathlib import Path

import numpy as np
import pytest

from ddfa.errors import VideoError
from ddfa.images import write_image
from ddfa.video.io.frames import open_video
from ddfa.video.io.source import AudioPart

from ..conftest import HEIGHT, WIDTH, av, number_of, picture, write_tone, write_video


def test_all_frames_first_to_last(clip: Path) -> None:
    video = open_video(clip)
    frames = list(video)
    assert [number_of(frame.image) for frame in frames] == list(range(10))
    assert [frame.index for frame in frames] == list(range(10))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(10) / 25, atol=1e-4)
    assert video.size == (WIDTH, HEIGHT) and video.fps == 25 and video.count == 10
    assert video.audio == AudioPart(clip) and video.skipped == 0
    assert np.abs(frames[3].image.astype(int) - picture(3)).mean() < 3
    assert len(list(video)) == 10  # once more from the beginning


def test_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.2, 0.21, 1.0]
    video = open_video(write_video(tmp_path / "vfr.mp4", times))
    np.testing.assert_allclose([frame.time for frame in video], times, atol=1e-3)


@pytest.mark.parametrize(("degrees", "corner"), [(90, (0, -1)), (-90, (-1, 0)), (180, (-1, -1))])
def test_rotation_is_honoured(tmp_path: Path, degrees: int, corner: tuple[int, int]) -> None:
    """Turned counter-clockwise by 90°, the top right corner of what is stored comes to the top left."""
    stored = picture(0)
    video = open_video(write_video(tmp_path / "turned.mp4", [0.0, 0.04], degrees=degrees))
    image = next(iter(video)).image
    assert image.shape[:2] == ((WIDTH, HEIGHT) if abs(degrees) == 90 else (HEIGHT, WIDTH))
    assert video.size == (image.shape[1], image.shape[0])
    assert np.abs(image[0, 0].astype(int) - stored[corner]).max() < 12


def test_times_count_from_the_start_of_the_file(tmp_path: Path) -> None:
    """MPEG transport streams begin at 1.4 s or so."""
    video = open_video(write_video(tmp_path / "stream.ts", np.arange(5) / 25))
    np.testing.assert_allclose([frame.time for frame in video], np.arange(5) / 25, atol=0.05)


def test_damaged_frames_are_skipped_and_counted(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", np.arange(12) / 25)
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    content = bytearray(path.read_bytes())
    position, size = packets[4]
    content[position : position + size] = b"\xff" * size
    path.write_bytes(content)
    video = open_video(path)
    frames = list(video)
    assert video.skipped >= 1 and len(frames) + video.skipped <= 13
    assert number_of(frames[0].image) == 0 and number_of(frames[-1].image) == 11


def test_the_readable_part_of_a_cut_off_file(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mkv", np.arange(12) / 25)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    assert 1 <= len(list(open_video(path))) < 12


def test_a_cover_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        write_tone(container, container.add_stream("aac", rate=44100), 0.2)
    with pytest.raises(VideoError, match="audio only"):
        open_video(path)


def test_bad_files(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:800])
    for name, words in {
        "missing.mp4": "does not exist",
        "empty.mp4": "is empty",
        "noise.mp4": "not a video",
        "cut.mp4": "truncated",
    }.items():
        with pytest.raises(VideoError, match=words) as caught:
            open_video(tmp_path / name)
        assert "\n" not in str(caught.value) and name in str(caught.value)


def test_the_number_of_pixels_is_limited(clip: Path) -> None:
    assert open_video(clip, max_pixels=WIDTH * HEIGHT).size == (WIDTH, HEIGHT)
    with pytest.raises(VideoError, match="scale it down"):
        open_video(clip, max_pixels=WIDTH * HEIGHT - 1)


def test_pictures_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (0, 2, 10):
        write_image(tmp_path / f"shot{number}.png", picture(number))
    (tmp_path / "shot3.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").touch()
    for source in (tmp_path, tmp_path / "shot*.png"):
        video = open_video(source, fps=10)
        frames = list(video)
        assert [number_of(frame.image) for frame in frames] == [0, 2, 10]
        assert [frame.index for frame in frames] == [0, 1, 2] and video.skipped == 1
        np.testing.assert_allclose([frame.time for frame in frames], [0, 0.1, 0.3])


def test_bad_images(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="contains no images"):
        open_video(tmp_path)
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(VideoError, match="none of its 1 images"):
        open_video(tmp_path)
    write_image(tmp_path / "1.png", picture(1))
    write_image(tmp_path / "2.png", picture(2, 50, 40))
    with pytest.raises(VideoError, match="resize them"):
        list(open_video(tmp_path))
    with pytest.raises(VideoError, match="frames per second"):
        open_video(tmp_path, fps=0)


class StubCapture:
    """A camera that is unplugged after three pictures."""

    def __init__(self, number: int) -> None:
        self.left = 3 if number == 0 else 0

    def read(self):
        self.left -= 1
        return self.left >= 0, np.full((4, 6, 3), (10, 20, 30), np.uint8)

    def get(self, key: int) -> float:
        return 0.0

    def release(self) -> None:
        pass


def test_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddfa.video.io.camera.cv2.VideoCapture", StubCapture)
    with pytest.raises(VideoError, match="no camera 7"):
        open_video("7")
    camera = open_video(0)
    assert camera.live and camera.size == (6, 4) and camera.fps == 30
    frames = iter(camera)
    assert next(frames).image[0, 0].tolist() == [30, 20, 10]
    next(frames)
    with pytest.raises(VideoError, match="plug it in again"):
        next(frames)


def test_a_window_needs_an_opencv_with_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    from ddfa.video.io.camera import Window

    def refuse(*_: object) -> None:
        raise cv2.error("no GUI")

    monkeypatch.setattr("ddfa.video.io.camera.cv2.namedWindow", refuse)
    with pytest.raises(VideoError, match="opencv-python"):
        Window("faces")
