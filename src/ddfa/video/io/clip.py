"""A part of a video: `--start`, `--duration` and `--limit`."""

import math
from collections.abc import Iterator
from dataclasses import replace

from ddfa.errors import VideoError
from ddfa.video.io.source import SAME_TIME, Frame, FrameSource


def check_part(start: float, duration: float | None, limit: int) -> None:
    """Check the numbers that describe a part, see `Clip`.

    Raises:
        VideoError: one is out of range.
    """
    if limit < 0:
        raise VideoError(f"--limit {limit}: give 0 for all frames, or a positive number")
    if not 0 <= start < math.inf:
        raise VideoError(f"--start {start:g}: give 0 seconds or more")
    if duration is not None and not 0 < duration < math.inf:
        raise VideoError(f"--duration {duration:g}: give more than 0 seconds")


class Clip(FrameSource):
    """A part of another source; times and numbers of its frames begin at 0.

    Args:
        source: the frames.
        start: seconds that are left out at the beginning.
        duration: seconds of the part; None for all that follows.
        limit: largest number of frames; 0 for all.

    Raises:
        VideoError: a number is out of range, a camera shall begin later, or the part begins after the end.
    """

    def __init__(self, source: FrameSource, start: float = 0.0, duration: float | None = None, limit: int = 0) -> None:
        check_part(start, duration, limit)
        if source.live and start:
            raise VideoError(f"{source.name} is a camera, which begins now: leave out --start")
        self._source, self._start, self._limit = source, start, limit
        self._duration = math.inf if duration is None else duration
        self.name, self.size, self.fps, self.live = source.name, source.size, source.fps, source.live
        self.count = self._expected()
        if self.count == 0:
            raise VideoError(f"{source.name} has only {source.count} frames: give an earlier --start than {start:g}")
        if source.audio is not None:
            ends = bool(limit) or duration is not None
            self.audio = replace(source.audio, start=source.audio.start + start, to_end=not ends)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames of the part."""
        for index, frame in enumerate(self._source.frames_from(self._start)):
            time = max(0.0, frame.time - self._start)
            if time >= self._duration - SAME_TIME:
                return
            yield Frame(frame.image, time, index)
            if index + 1 == self._limit:
                return

    @property
    def skipped(self) -> int:  # type: ignore[override]
        """Number of damaged frames that the last iteration has skipped so far."""
        return self._source.skipped

    def _expected(self) -> int | None:
        ends = [n for n in (self._limit, round(min(self._duration, 1e9) * self.fps)) if n]
        if self._source.count is None:
            return min(ends) if self._limit or self._duration < math.inf else None
        return min(max(0, self._source.count - round(self._start * self.fps)), *ends)
