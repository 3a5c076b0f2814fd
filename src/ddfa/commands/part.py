"""--start, --duration and --limit: which part of a video is used."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import tyro

from ddfa.errors import VideoError
from ddfa.images import MAX_PIXELS
from ddfa.options import Duration, Limit, Start
from ddfa.video.io.clip import Clip, check_part

if TYPE_CHECKING:  # needs the extra `video`
    from ddfa.video.io.frames import FrameSource


@dataclass(frozen=True)
class Part:
    """The part of a video that is used.

    Raises:
        VideoError: a number is out of range.
    """

    start: Start = 0.0
    duration: Duration = None
    limit: Limit = 0

    def __post_init__(self) -> None:
        check_part(self.start, self.duration, self.limit)

    def for_photos(self) -> None:
        """Refuse what only videos have.

        Raises:
            VideoError: --start or --duration is given.
        """
        if self.start or self.duration is not None:
            raise VideoError("--start and --duration are for videos: leave them out for photos")

    def open(self, source: str | Path, fps: float | None = None, max_pixels: int = MAX_PIXELS) -> "FrameSource":
        """Open the part of a source of frames, see `ddfa.video.io.frames.open_video`.

        Raises:
            VideoError: it cannot be read, or the options do not fit.
        """
        from ddfa.video.io.frames import open_video

        whole = open_video(source, fps, max_pixels)
        return whole if self == Part() else Clip(whole, self.start, self.duration, self.limit)


PartOptions: TypeAlias = Annotated[Part, tyro.conf.arg(name="")]
"""The fields of `Part` as options of the command itself, without a prefix."""
WHOLE = Part()
