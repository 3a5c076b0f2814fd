"""A camera as a frame source, and a window that shows frames."""

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
_CLOSE_KEYS: Final = (27, ord("q"))  # 27 is escape


class Camera(FrameSource):
    """A camera, by its number.

    Args:
        number: from 0.

    Raises:
        VideoError: there is no such camera, or it delivers no image.
    """

    live = True

    def __init__(self, number: int) -> None:
        self.name = f"camera {number}"
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # see the error below
        self._capture = cv2.VideoCapture(number)
        cv2.utils.logging.setLogLevel(level)
        read, image = self._capture.read()
        if not read:
            self._capture.release()
            raise VideoError(f"there is no {self.name}, or another program uses it: plug it in, or name a video file")
        self.size = (image.shape[1], image.shape[0])
        reported = round(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = Fraction(reported if 0 < reported <= 240 else _USUAL_RATE)

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames until the caller stops; a camera that is disconnected is an error."""
        start, index = time.monotonic(), 0
        try:
            while True:
                read, image = self._capture.read()
                if not read:
                    raise VideoError(f"{self.name} delivers no more images: plug it in again")
                rgb = np.ascontiguousarray(np.asarray(image, np.uint8)[..., ::-1])
                yield Frame(rgb, time.monotonic() - start, index)
                index += 1
        finally:
            self._capture.release()


class Window:
    """A window that shows frames; q or escape closes it.

    Args:
        title: of the window.

    Raises:
        VideoError: this OpenCV build or this machine cannot open windows.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL)
        except cv2.error:
            raise VideoError(
                "this OpenCV cannot open windows: write a file with -o, or, on a machine with a display, "
                "pip uninstall opencv-python-headless && pip install opencv-python"
            ) from None

    def show(self, image: UInt8) -> bool:
        """Show an image (H, W, 3) uint8 RGB; returns False once the user has closed the window."""
        cv2.imshow(self._title, image[..., ::-1])
        return (cv2.waitKey(1) & 0xFF) not in _CLOSE_KEYS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cv2.destroyWindow(self._title)
