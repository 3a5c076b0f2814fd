"""A camera as a source and the window, with stand-ins for both: a machine for tests has neither."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ddfa import read_image
from ddfa.cli import main
from ddfa.errors import VideoError

av = pytest.importorskip("av", reason="needs the extra `video`")

from ddfa.video.io import camera  # noqa: E402
from ddfa.video.io.frames import open_video  # noqa: E402


class Capture:
    """As `cv2.VideoCapture`: gives one BGR picture again and again, then nothing."""

    frames, picture, rate = 5, np.zeros((48, 64, 3), np.uint8), 30.0

    def __init__(self, number: int) -> None:
        self.left, self.released = type(self).frames if number == 0 else 0, False
        type(self).last = self

    def read(self):
        self.left -= 1
        return (True, type(self).picture.copy()) if self.left >= 0 else (False, None)

    def get(self, _: int) -> float:
        return type(self).rate

    def release(self) -> None:
        self.released = True


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch):
    kind = type("One", (Capture,), {})
    monkeypatch.setattr(camera.cv2, "VideoCapture", kind)
    return kind


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch):
    """Stands for the screen; q is pressed at the third picture."""
    shown: list[np.ndarray] = []
    monkeypatch.setattr(camera.cv2, "namedWindow", lambda *_: None)
    monkeypatch.setattr(camera.cv2, "destroyWindow", lambda *_: None)
    monkeypatch.setattr(camera.cv2, "imshow", lambda _, image: shown.append(np.array(image)))
    monkeypatch.setattr(camera.cv2, "waitKey", lambda _: ord("q") if len(shown) == 3 else 255)
    return shown


def test_frames_are_rgb_and_an_unplugged_camera_is_an_error(capture) -> None:
    capture.picture = np.full((48, 64, 3), (1, 2, 3), np.uint8)
    source = open_video("0")
    assert source.live and source.size == (64, 48) and source.fps == 30
    frames = []
    with pytest.raises(VideoError, match="camera 0 delivers no more images: plug it in again"):
        frames.extend(source)
    assert len(frames) == 4 and tuple(frames[0].image[0, 0]) == (3, 2, 1)
    assert [frame.index for frame in frames] == [0, 1, 2, 3] and np.all(np.diff([f.time for f in frames]) >= 0)
    assert capture.last.released


@pytest.mark.parametrize("rate", [0.0, -1.0, 9999.0])
def test_a_rate_that_cannot_be_is_not_believed(capture, rate: float) -> None:
    capture.rate = rate
    assert open_video("0").fps == 30


def test_a_camera_that_is_not_there(capture, capsys) -> None:
    assert main(["video", "3"]) == 2
    error = capsys.readouterr().err
    assert "there is no camera 3" in error and error.count("\n") == 1 and capture.last.released


def test_live_until_q_is_pressed(capture, window, root: Path, capsys) -> None:
    photo = read_image(root / "samples" / "astronaut.jpg")[:300, :400]
    capture.picture, capture.frames = photo[..., ::-1], 50
    assert main(["video", "0", "--style", "landmarks"]) == 0
    assert "3 frames, 1 track" in capsys.readouterr().out
    assert len(window) == 3 and capture.last.released
    changed = (window[0] != photo[..., ::-1]).any(axis=2)
    assert changed[80:200, 160:300].any() and not changed[:, :100].any()  # drawn on, in the right colours elsewhere


def test_what_was_written_stays_when_the_camera_is_unplugged(capture, root: Path, tmp_path: Path, capsys) -> None:
    photo = read_image(root / "samples" / "astronaut.jpg")[:300, :400]
    capture.picture, capture.frames = photo[..., ::-1], 5
    out = tmp_path / "out.mp4"
    assert main(["video", "0", "-o", str(out)]) == 2
    assert "plug it in again" in capsys.readouterr().err
    with av.open(str(out)) as container:
        assert len(list(container.decode(video=0))) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_ctrl_c_at_a_camera_leaves_a_film_that_plays(capture, root: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    photo = read_image(root / "samples" / "astronaut.jpg")[:300, :400]
    capture.picture, capture.frames, out = photo[..., ::-1], 50, tmp_path / "out.mp4"
    read, count = capture.read, []

    def interrupted(self):
        count.append(1)
        if len(count) == 4:
            raise KeyboardInterrupt
        return read(self)

    monkeypatch.setattr(capture, "read", interrupted)
    assert main(["video", "0", "-o", str(out)]) == 130
    assert "interrupted" in capsys.readouterr().err
    with av.open(str(out)) as container:
        assert len(list(container.decode(video=0))) == 2


def test_no_screen(monkeypatch: pytest.MonkeyPatch, capture, capsys) -> None:
    def none(*_):
        raise cv2.error("no")

    monkeypatch.setattr(camera.cv2, "namedWindow", none)
    assert main(["video", "0"]) == 2
    error = capsys.readouterr().err
    assert "cannot open windows" in error and error.count("\n") == 1
