"""The progress bar of commands that process a video."""

import sys
from collections.abc import Iterable

from ddfa.video.io.frames import Frame, FrameSource


def with_progress(
    frames: Iterable[Frame], source: FrameSource, limit: int, description: str = "tracking"
) -> Iterable[Frame]:
    """Show a progress bar on a terminal.

    Args:
        frames: to be counted.
        source: of the frames; a camera has no end to show.
        limit: largest number of frames; 0 for all.
        description: shown beside the bar.
    """
    if source.live or not sys.stderr.isatty():
        return frames
    from rich.console import Console
    from rich.progress import track

    total = min(limit, source.count or limit) if limit else source.count
    return track(frames, description=description, total=total, console=Console(stderr=True), transient=True)
