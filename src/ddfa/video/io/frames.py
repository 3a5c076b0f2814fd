"""Frames in and out: `open_video` reads files, pictures and cameras, `VideoWriter` writes files."""

from fractions import Fraction
from pathlib import Path

from ddfa.errors import VideoError
from ddfa.video.io.source import Frame, FrameSource
from ddfa.video.io.writer import VideoWriter

__all__ = ["Frame", "FrameSource", "VideoWriter", "open_video"]


def open_video(source: str | Path | int, fps: float | None = None) -> FrameSource:
    """Open whatever shows frames.

        for frame in open_video("clip.mp4"):
            frame.image, frame.time, frame.index

    Args:
        source: a video file, a folder of pictures, a pattern like `shots/*.png`, or the number of a camera.
        fps: frames per second of an image sequence, 25 by default; files and cameras know their own.

    Returns:
        The source; iterating it yields its frames.

    Raises:
        VideoError: there is nothing to read there, or the rate makes no sense.
    """
    if fps is not None and not 0 < fps <= 1000:
        raise VideoError(f"{fps} frames per second cannot be: give a number above 0 and up to 1000")
    if isinstance(source, int) or str(source).isdecimal():
        from ddfa.video.io.camera import Camera

        return Camera(int(str(source)))
    path = Path(source)
    if path.is_dir() or (any(sign in str(path) for sign in "*?[") and not path.exists()):
        from ddfa.video.io.sequence import ImageSequence

        return ImageSequence(path, Fraction(25 if fps is None else fps).limit_denominator(1001))
    from ddfa.video.io.reader import VideoFile

    return VideoFile(path)
