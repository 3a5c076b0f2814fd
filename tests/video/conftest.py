"""Small videos, made on the spot."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs the extra `video`")

WIDTH, HEIGHT = 96, 64


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A red to green ramp with a blue level that tells the number: smooth, so that codecs keep it."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(40, 200, width)
    image[..., 1] = np.linspace(200, 60, height)[:, None]
    image[..., 2] = 30 + 15 * number
    return image


def number_of(image: np.ndarray) -> int:
    """Which picture this is."""
    return round((float(np.median(image[..., 2])) - 30) / 15)


def write_video(
    path: Path, times, *, codec="libx264", audio=None, seconds=1.0, degrees=0, size=(WIDTH, HEIGHT)
) -> Path:
    """Write pictures 0, 1, ... at the given times, and a tone with the given audio codec."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"crf": "10", "g": "4"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.codec_context.time_base = Fraction(1, 90000)
        if degrees:
            video.set_display_rotation(degrees)
        tone = container.add_stream(audio, rate=44100) if audio else None
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), format="rgb24")
            frame.pts, frame.time_base = round(time * 90000), Fraction(1, 90000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if tone:
            write_tone(container, tone, seconds)
    return path


def write_tone(container, stream, seconds: float) -> None:
    """Append a sine of 440 Hz."""
    samples = np.sin(2 * np.pi * 440 * np.arange(int(44100 * seconds)) / 44100).astype(np.float32)
    resampler = av.AudioResampler(stream.codec_context.format, stream.codec_context.layout, 44100)
    for start in range(0, len(samples), 1024):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 44100, start, Fraction(1, 44100)
        for piece in resampler.resample(frame):
            container.mux(stream.encode(piece))
    container.mux(stream.encode(None))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures at 25 frames/s with 0.4 s of AAC."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_video(path, np.arange(10) / 25, audio="aac", seconds=0.4)
