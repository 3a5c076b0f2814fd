"""Parts of videos: --start, --duration and --limit."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs the extra `video`")

from ddfa.errors import VideoError  # noqa: E402
from ddfa.images import write_image  # noqa: E402
from ddfa.video.io.clip import Clip  # noqa: E402
from ddfa.video.io.frames import VideoWriter, open_video  # noqa: E402

FRAMES = 60  # at 20 frames/s, the number of the frame in its grey value


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    """Three seconds of frames that tell their number, with a tone."""
    folder = tmp_path_factory.mktemp("clip")
    tone = folder / "tone.wav"
    with av.open(str(tone), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for start in range(0, 24000, 800):
            samples = (9000 * np.sin(np.arange(start, start + 800) * 0.3)).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with VideoWriter(folder / "v.mp4", (64, 48), Fraction(20), audio=tone) as writer:
        for number in range(FRAMES):
            writer.write(np.full((48, 64, 3), 4 * number, np.uint8), number / 20)
    return folder / "v.mp4"


def numbers(clip) -> list[int]:
    return [round(float(frame.image.mean()) / 4) for frame in clip]


@pytest.mark.parametrize(
    ("start", "duration", "limit", "first", "count"),
    [(0.0, None, 7, 0, 7), (1.0, None, 0, 20, 40), (1.52, 0.5, 0, 31, 10), (2.0, 10.0, 5, 40, 5), (0.0, 0.25, 0, 0, 5)],
)
def test_the_frames_of_a_part(video, start, duration, limit, first, count) -> None:
    clip = Clip(open_video(video), start, duration, limit)
    assert numbers(clip) == list(range(first, first + count))
    assert abs(clip.count - count) <= 1
    frames = list(clip)
    assert [frame.index for frame in frames] == list(range(count))
    assert 0 <= frames[0].time < 0.05
    assert np.allclose(np.diff([frame.time for frame in frames]), 0.05)


def test_images_as_a_video(tmp_path) -> None:
    for number in range(10):
        write_image(tmp_path / f"{number}.png", np.full((8, 8, 3), 4 * number, np.uint8))
    assert numbers(Clip(open_video(tmp_path, fps=10), 0.3, 0.4)) == [3, 4, 5, 6]


def test_the_audio_of_a_part(video, tmp_path) -> None:
    clip = Clip(open_video(video), 1.0, 1.0)
    with VideoWriter(tmp_path / "part.mp4", clip.size, clip.fps, audio=clip.audio) as writer:
        for frame in clip:
            writer.write(frame.image, frame.time)
    with av.open(str(tmp_path / "part.mp4")) as container:
        times = [float(p.pts * p.time_base) for p in container.demux(audio=0) if p.pts is not None]
    assert min(times) < 0.15 and 0.8 < max(times) < 1.1
    assert len(list(open_video(tmp_path / "part.mp4"))) == 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": -1}, "--start -1: give 0 seconds or more"),
        ({"start": 60}, "has only 60 frames"),
        ({"duration": 0}, "--duration 0: give more than 0"),
        ({"limit": -2}, "--limit -2: give 0 for all frames"),
    ],
)
def test_options_that_do_not_fit(video, options, message: str) -> None:
    with pytest.raises(VideoError, match=message):
        Clip(open_video(video), **options)


def test_a_camera_begins_now(video) -> None:
    camera = open_video(video)
    camera.live = True
    with pytest.raises(VideoError, match="leave out --start"):
        Clip(camera, 1.0)
    assert Clip(camera, duration=1.0).live
