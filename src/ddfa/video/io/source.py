"""The interface of frame sources: video files, image sequences and cameras."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from ddfa.arrays import UInt8

SAME_TIME: Final = 1e-4
"""Times that differ by less are the same, seconds."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a video.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright.
        time: seconds since the beginning of the source; increases from frame to frame.
        index: number of the frame, from 0; damaged frames are not counted.
    """

    image: UInt8
    time: float
    index: int


@dataclass(frozen=True)
class AudioPart:
    """The audio that belongs to frames.

    Attributes:
        path: the file whose first audio stream it is.
        start: seconds into the file at which it begins.
        to_end: whether it goes on to its end; otherwise it ends with the last frame.
    """

    path: Path
    start: float = 0.0
    to_end: bool = True


class FrameSource(ABC):
    """Frames in temporal order; each iteration starts at the first frame (with a camera: at the current one).

    Attributes:
        name: what messages call the source.
        size: (width, height) px of every frame.
        fps: average frames per second.
        count: expected number of frames; None if unknown.
        audio: the audio of the frames, if there is any.
        live: whether frames come from a camera, in real time.
        skipped: number of damaged frames that the last iteration has skipped so far.
    """

    name: str
    size: tuple[int, int]
    fps: Fraction
    count: int | None = None
    audio: AudioPart | None = None
    live: bool = False
    skipped: int = 0

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            VideoError: the source fails: a camera is disconnected, images differ in size.
        """

    def frames_from(self, start: float) -> Iterator[Frame]:
        """Yield the frames from a time on, seconds; sources that can jump there need not read what is before."""
        return (frame for frame in self if frame.time >= start - SAME_TIME)
