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
_SAME_SHOT: Final = 0.1  # change below which a frame belongs to an earlier shot
_DAMAGE: Final = 12  # frames within which the return to the earlier shot means that frames were damaged


class ShotBoundaryDetector:
    """Detects shot boundaries from the images alone.

    Thumbnails of consecutive frames are compared by their correlation, which stays high through flashes and fades.
    Damaged frames, which decoders fill with a colour or smear, differ as much as a new shot; they are not counted as
    one if the earlier shot returns within 12 frames.

    Attributes:
        cuts: number of shot boundaries so far.
    """

    def __init__(self) -> None:
        self.cuts = 0
        self._last: Float64 | None = None
        self._usual = 0.0
        self._earlier: Float64 | None = None  # the last frame before a jump
        self._since = 0  # frames since that jump
        self._uncertain = 0  # cuts counted since then

    def __call__(self, image: UInt8) -> bool:
        """Process the next frame.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            Whether the image jumps: a new shot begins, or damaged frames begin or end; never for the first frame.
        """
        thumbnail = _thumbnail(image)
        change = 0.0 if self._last is None else _change(self._last, thumbnail)
        jump = change > _LEAST_CHANGE and change > _LEAST_RATIO * self._usual
        if not jump:
            self._usual = _MEMORY * self._usual + (1 - _MEMORY) * change
        self._count(thumbnail, jump)
        self._last = thumbnail
        return jump

    def _count(self, thumbnail: Float64, jump: bool) -> None:
        self._since += 1
        if self._earlier is not None and self._since > _DAMAGE:
            self._earlier = None
        if self._earlier is not None and _change(self._earlier, thumbnail) < _SAME_SHOT:
            self.cuts -= self._uncertain
            self._earlier = None
        elif jump:
            if self._earlier is None:
                self._earlier, self._since, self._uncertain = self._last, 0, 0
            self.cuts += 1
            self._uncertain += 1


def _change(first: Float64, second: Float64) -> float:
    """How much two thumbnails differ: 1 - correlation; less for images with hardly any contrast."""
    return float(np.mean((first - second) ** 2)) / 2


def _thumbnail(image: UInt8) -> Float64:
    """Reduce an image to a thumbnail of zero mean and unit contrast."""
    sparse = image[::_STRIDE, ::_STRIDE] if min(image.shape[:2]) > 8 * _THUMBNAIL[0] else image
    small = cv2.resize(np.ascontiguousarray(sparse), _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float64)
    small -= small.mean()
    # The floor prevents a division by zero for uniform images, as in a fade to black.
    return np.asarray(small / max(float(small.std()), 4.0))
