"""Where one shot ends and the next begins."""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float64, UInt8

_THUMBNAIL: Final = (32, 18)  # px; small enough that what moves within a shot hardly counts
_STRIDE: Final = 4  # px skipped before the picture is averaged down: eight times faster, and nobody sees it
_LEAST_CHANGE: Final = 0.25  # 1 - correlation; pans and gestures stay below 0.1, most cuts are above 0.4
_LEAST_RATIO: Final = 4.0  # over the usual change, so that a shaken camera does not cut
_MEMORY: Final = 0.9  # share of the past in the usual change


class ShotBoundaryDetector:
    """Tells from the pictures alone when the shot changes.

    Two neighbouring frames are compared as thumbnails by their correlation, which a flash or a fade leaves high.
    """

    def __init__(self) -> None:
        self._last: Float64 | None = None
        self._usual = 0.0

    def __call__(self, image: UInt8) -> bool:
        """Take the next frame.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            Whether a new shot begins with it; never for the first frame.
        """
        thumbnail = _thumbnail(image)
        change = 0.0 if self._last is None else 1.0 - float(np.mean(self._last * thumbnail))
        self._last = thumbnail
        cut = change > _LEAST_CHANGE and change > _LEAST_RATIO * self._usual
        if not cut:
            self._usual = _MEMORY * self._usual + (1 - _MEMORY) * change
        return cut


def _thumbnail(image: UInt8) -> Float64:
    """Shrink a picture and take off its brightness and contrast."""
    sparse = image[::_STRIDE, ::_STRIDE] if min(image.shape[:2]) > 8 * _THUMBNAIL[0] else image
    small = cv2.resize(np.ascontiguousarray(sparse), _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float64)
    small -= small.mean()
    # A flat picture, as in a fade to black, resembles only another one: some noise keeps it from dividing by nothing.
    return np.asarray(small / max(float(small.std()), 4.0))
