"""A camera as a source, and a window to watch frames in."""

import time
from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType
from typing import Final, Self

import cv2
import numpy as np

from ddfa.arrays import UInt8
from ddfa.errors import VideoError
from ddfa.video.io.source import Frame, FrameSource

_USUAL_RATE: Final = 30
_LEAVE_KEYS: Final = (27, ord("q"))  # escape


class Camera(FrameSource):
    """A camera, by its number.

    Args:
        number: from 0.

    Raises:
        VideoError: there is no such camera, or it gives no picture.
    """

    live = True

    def __init__(self, number: int) -> None:
        self.name = f"camera {number}"
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # our error says it in one line
        self._capture = cv2.VideoCapture(number)
        cv2.utils.logging.setLogLevel(level)
        more, picture = self._capture.read()
        if not more:
            self._capture.release()
            raise VideoError(f"there is no {self.name}, or another program uses it: plug it in, or name a video file")
        self.size = (picture.shape[1], picture.shape[0])
        told = round(self._capture.get(cv2.CAP_PROP_FPS))
        self.rate = Fraction(told if 0 < told <= 240 else _USUAL_RATE)

    def __iter__(self) -> Iterator[Frame]:
        """Yield pictures until the camera is gone, which is an error, or nobody asks for more."""
        start, index = time.monotonic(), 0
        try:
            while True:
                more, picture = self._capture.read()
                if not more:
                    raise VideoError(f"{self.name} gives no more pictures: plug it in again")
                rgb = np.ascontiguousarray(np.asarray(picture, np.uint8)[..., ::-1])
                yield Frame(rgb, time.monotonic() - start, index)
                index += 1
        finally:
            self._capture.release()


class Window:
    """A window that shows frames; closed with q or escape.

    Args:
        title: its title.

    Raises:
        VideoError: this OpenCV or this machine has no windows.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL)
        except cv2.error:
            raise VideoError(
                "this OpenCV opens no windows: write a file with -o, or, at a screen, "
                "pip uninstall opencv-python-headless && pip install opencv-python"
            ) from None

    def show(self, image: UInt8) -> bool:
        """Show a picture (H, W, 3) uint8 RGB; returns False once the user wants to leave."""
        cv2.imshow(self._title, image[..., ::-1])
        return (cv2.waitKey(1) & 0xFF) not in _LEAVE_KEYS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cv2.destroyWindow(self._title)
