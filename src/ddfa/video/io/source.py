"""What every source of frames offers, be it a file, pictures or a camera."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ddfa.arrays import UInt8


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a video.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright.
        time: seconds since the source began; grows from frame to frame.
        index: number of the frame, from 0, among those that could be read.
    """

    image: UInt8
    time: float
    index: int


class FrameSource(ABC):
    """Frames in the order of time; each iteration starts from the beginning (a camera: now).

    Attributes:
        name: how errors and reports call it.
        size: (width, height) px of every frame.
        rate: frames per second, on average.
        count: how many frames there should be; None where nobody knows.
        sound: the file whose sound belongs to the frames, if there is any.
        live: whether frames come as they happen, so that nothing can wait for the next.
        skipped: damaged frames left out so far by the last iteration.
    """

    name: str
    size: tuple[int, int]
    rate: Fraction
    count: int | None = None
    sound: Path | None = None
    live: bool = False
    skipped: int = 0

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            VideoError: the source breaks off: a camera unplugged, pictures of different sizes.
        """
