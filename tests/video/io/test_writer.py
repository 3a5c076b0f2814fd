"""Videos that are written: whole at any end, with times and audio."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ddfa.errors import OutputError
from ddfa.video.io.frames import VideoWriter, open_video

from ..conftest import HEIGHT, WIDTH, av, number_of, picture, write_video

SIZE = (WIDTH, HEIGHT)


def sound_of(path: Path) -> tuple[str, float]:
    """Codec and seconds of the audio."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        samples = sum(frame.samples for frame in container.decode(stream))
        return stream.codec_context.name, samples / stream.rate


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm"])
def test_frames_times_and_sound_survive(clip: Path, tmp_path: Path, suffix: str) -> None:
    source, path = open_video(clip), tmp_path / f"out.{suffix}"
    with VideoWriter(path, source.size, source.fps, audio=source.audio) as writer:
        for frame in source:
            writer.write(frame.image, frame.time)
        assert not path.exists()
    again = list(open_video(path))
    assert [number_of(frame.image) for frame in again] == list(range(10))
    np.testing.assert_allclose([frame.time for frame in again], np.arange(10) / 25, atol=0.03)
    assert np.abs(again[5].image.astype(int) - picture(5)).mean() < 6  # colours too
    codec, seconds = sound_of(path)
    assert codec in ("aac", "opus", "libopus") and abs(seconds - 0.4) < 0.1
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_variable_times_and_odd_sides(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.15, 0.9]
    with VideoWriter(tmp_path / "out.mp4", (51, 37), 10, metadata={"note": "drawn"}) as writer:
        for number, time in enumerate(times):
            writer.write(picture(number, 51, 37), time)
    video = open_video(tmp_path / "out.mp4")
    assert video.size == (52, 38) and video.audio is None
    np.testing.assert_allclose([frame.time for frame in video], times, atol=1e-3)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.metadata["note"] == "drawn"


def test_a_limit_cuts_the_sound_too(clip: Path, tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "out.mp4", SIZE, 25, audio=clip)
    for number in range(4):
        writer.write(picture(number), number / 25)
    writer.close(whole=False)
    writer.close()  # the second time nothing happens
    assert sound_of(tmp_path / "out.mp4")[1] < 0.25


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_was_written_before_an_interruption_plays(tmp_path: Path, error: type[BaseException]) -> None:
    def interrupted() -> None:
        with VideoWriter(tmp_path / "out.mp4", SIZE) as writer:
            for number in range(3):
                writer.write(picture(number), number / 25)
            raise error

    with pytest.raises(error):
        interrupted()
    assert [number_of(frame.image) for frame in open_video(tmp_path / "out.mp4")] == [0, 1, 2]


def test_no_frames_no_file(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_text("kept")
    with VideoWriter(tmp_path / "out.mp4", SIZE):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"] and (tmp_path / "out.mp4").read_text() == "kept"


def test_bad_output(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="suffixes"):
        VideoWriter(tmp_path / "out.xyz", SIZE)
    with pytest.raises(OutputError, match="another place"):
        VideoWriter(tmp_path / "none" / "out.mp4", SIZE)
    with pytest.raises(OutputError, match="RGB uint8"), VideoWriter(tmp_path / "out.mp4", SIZE) as writer:
        writer.write(np.zeros((5, 5, 3), np.uint8), 0)
    assert not list(tmp_path.iterdir())


def test_sound_starts_with_the_file(tmp_path: Path) -> None:
    """A transport stream begins late; picture and audio move together."""
    source = write_video(tmp_path / "in.ts", np.arange(10) / 25, audio="aac", seconds=0.4)
    with VideoWriter(tmp_path / "out.mp4", SIZE, audio=source) as writer:
        for frame in open_video(source):
            writer.write(frame.image, frame.time)
    with av.open(str(tmp_path / "out.mp4")) as container:
        first = next(container.decode(audio=0))
    assert first.time < 0.1


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    program = """
import resource, signal, sys, numpy as np
from ddfa.errors import OutputError
from ddfa.video.io.frames import VideoWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
rng = np.random.default_rng(0)
try:
    with VideoWriter(sys.argv[1], (320, 240)) as writer:
        for k in range(120):
            writer.write(rng.integers(0, 255, (240, 320, 3), dtype=np.uint8), k / 25)
except OutputError as error:
    print(error)
    sys.exit(2)
"""
    words = [sys.executable, "-c", program, str(tmp_path / "out.mp4")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout.startswith(f"cannot write {tmp_path / 'out.mp4'}"), done.stderr
    assert not list(tmp_path.iterdir())
