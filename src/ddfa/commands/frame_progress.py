"""The progress bar of commands that process a video."""

from collections.abc import Iterable

from ddfa.progress import track
from ddfa.video.io.frames import Frame, FrameSource


def with_progress(frames: Iterable[Frame], source: FrameSource, description: str = "tracking") -> Iterable[Frame]:
    """Show a progress bar on a terminal.

    Args:
        frames: to be counted.
        source: of the frames; a camera has no end to show.
        description: shown beside the bar.
    """
    return frames if source.live else track(frames, description, source.count)
