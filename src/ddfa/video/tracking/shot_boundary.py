"""Shot boundary detection (hard cuts)."""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float64, UInt8

_THUMBNAIL: Final = (32, 18)  # px; so small that motion within a shot has little effect
_STRIDE: Final = 4  # only every fourth row and column is averaged: eight times faster, and accurate enough
_LEAST_CHANGE: Final = 0.25  # 1 - correlation; pans and gestures stay below 0.1, most cuts are above 0.4
_LEAST_RATIO: Final = 4.0  # over the usual change, so that a shaking camera is no shot boundary
_MEMORY: Final = 0.9  # share of the past in the usual change


class ShotBoundaryDetector:
    """Detects shot boundaries from the images alone.

    Thumbnails of consecutive frames are compared by their correlation, which stays high through flashes and fades.
    """

    def __init__(self) -> None:
        self._last: Float64 | None = None
        self._usual = 0.0

    def __call__(self, image: UInt8) -> bool:
        """Process the next frame.

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
    """Reduce an image to a thumbnail of zero mean and unit contrast."""
    sparse = image[::_STRIDE, ::_STRIDE] if min(image.shape[:2]) > 8 * _THUMBNAIL[0] else image
    small = cv2.resize(np.ascontiguousarray(sparse), _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float64)
    small -= small.mean()
    # The floor prevents a division by zero for uniform images, as in a fade to black.
    return np.asarray(small / max(float(small.std()), 4.0))
