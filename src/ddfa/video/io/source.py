"""The interface of frame sources: video files, image sequences and cameras."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ddfa.arrays import UInt8


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


class FrameSource(ABC):
    """Frames in temporal order; each iteration starts at the first frame (with a camera: at the current one).

    Attributes:
        name: what messages call the source.
        size: (width, height) px of every frame.
        fps: average frames per second.
        count: expected number of frames; None if unknown.
        audio: the file with the audio of the frames, if there is any.
        live: whether frames come from a camera, in real time.
        skipped: number of damaged frames that the last iteration has skipped so far.
    """

    name: str
    size: tuple[int, int]
    fps: Fraction
    count: int | None = None
    audio: Path | None = None
    live: bool = False
    skipped: int = 0

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            VideoError: the source fails: a camera is disconnected, images differ in size.
        """
