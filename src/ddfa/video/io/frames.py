"""Video input and output: `open_video` opens files, image sequences and cameras, `VideoWriter` writes files."""

from fractions import Fraction
from pathlib import Path

from ddfa.errors import VideoError
from ddfa.images import MAX_PIXELS
from ddfa.video.io.source import Frame, FrameSource
from ddfa.video.io.writer import VideoWriter

__all__ = ["Frame", "FrameSource", "VideoWriter", "open_video"]


def open_video(source: str | Path | int, fps: float | None = None, max_pixels: int = MAX_PIXELS) -> FrameSource:
    """Open a source of frames.

        for frame in open_video("clip.mp4"):
            frame.image, frame.time, frame.index

    Args:
        source: a video file, a folder of images, a glob pattern like `shots/*.png`, or the number of a camera.
        fps: frames per second of an image sequence, 25 by default; files and cameras have their own.
        max_pixels: maximum width times height of a frame of a file or sequence, checked before decoding.

    Returns:
        The source; iterating it yields its frames.

    Raises:
        VideoError: the source cannot be read, or `fps` is out of range.
    """
    if fps is not None and not 0 < fps <= 1000:
        raise VideoError(f"{fps} frames per second is out of range: use a number above 0 and up to 1000")
    if isinstance(source, int) or str(source).isdecimal():
        from ddfa.video.io.camera import Camera

        return Camera(int(str(source)))
    path = Path(source)
    if path.is_dir() or (any(sign in str(path) for sign in "*?[") and not path.exists()):
        from ddfa.video.io.sequence import ImageSequence

        return ImageSequence(path, Fraction(25 if fps is None else fps).limit_denominator(1001), max_pixels)
    from ddfa.video.io.reader import VideoFile

    return VideoFile(path, max_pixels)
