"""The region of an image around a face in which a replacement is rendered, at full or reduced resolution."""

from typing import Final, NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Float32, Floats, UInt8

_MARGIN: Final = 0.12  # around the face, as a fraction of its size


class RoiCanvas(NamedTuple):
    """A region of the image, scaled down where it is large.

    Attributes:
        x0: first column of the region, image px; the region may extend beyond the image.
        y0: first row.
        width: of the region, image px.
        height: of the region, image px.
        scale: canvas px per image px, at most 1.
    """

    x0: int
    y0: int
    width: int
    height: int
    scale: float

    @staticmethod
    def around(shape: Floats, limit: int) -> "RoiCanvas":
        """The canvas around a face.

        Args:
            shape: (K, 2 or 3) vertices of the face, image px.
            limit: longest side of the canvas, canvas px.
        """
        low, high = shape[:, :2].min(axis=0), shape[:, :2].max(axis=0)
        margin = _MARGIN * float((high - low).max()) + 4
        x0, y0 = (int(v) for v in np.floor(low - margin))
        x1, y1 = (int(v) for v in np.ceil(high + margin) + 1)
        return RoiCanvas(x0, y0, x1 - x0, y1 - y0, min(1.0, limit / max(x1 - x0, y1 - y0)))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in canvas px."""
        return max(1, round(self.height * self.scale)), max(1, round(self.width * self.scale))

    def _factors(self) -> Float32:
        height, width = self.size
        return np.array([width / self.width, height / self.height, (width / self.width + height / self.height) / 2])

    def points(self, shape: Floats) -> Float32:
        """Convert points (..., 3) from image px to canvas px."""
        factors = self._factors()
        shift = np.array([self.x0 - 0.5, self.y0 - 0.5, 0]) * factors + [0.5, 0.5, 0]
        return np.asarray(shape * factors - shift, np.float32)

    def cut(self, image: UInt8) -> UInt8:
        """Crop the region from an image (H, W, 3): (h, w, 3) at canvas resolution; the image border is replicated."""
        height, width = image.shape[:2]
        x0, y0, x1, y1 = self.x0, self.y0, self.x0 + self.width, self.y0 + self.height
        part = image[max(y0, 0) : max(min(y1, height), 0), max(x0, 0) : max(min(x1, width), 0)]
        if not part.size:  # entirely outside the image
            return np.zeros((*self.size, 3), np.uint8)
        around = max(-y0, 0), max(y1 - height, 0), max(-x0, 0), max(x1 - width, 0)
        if any(around):
            part = np.asarray(cv2.copyMakeBorder(part, *around, cv2.BORDER_REPLICATE), np.uint8)
        if self.scale < 1:
            part = np.asarray(cv2.resize(part, self.size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        return np.ascontiguousarray(part)

    def paste(self, image: UInt8, part: Float32, opacity: Float32) -> None:
        """Composite a rendered region over the image, in place.

        Args:
            image: (H, W, 3) uint8 RGB.
            part: (h, w, 3) float32 in [0, 255], at canvas resolution.
            opacity: (h, w) float32 in [0, 1]; pixels where it is 0 are unchanged.
        """
        height, width = image.shape[:2]
        if self.scale < 1:
            size = self.width, self.height
            part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), np.float32)
            opacity = np.asarray(cv2.resize(opacity, size, interpolation=cv2.INTER_LINEAR), np.float32)
        left, top = max(-self.x0, 0), max(-self.y0, 0)
        right, bottom = min(self.width, width - self.x0), min(self.height, height - self.y0)
        if right <= left or bottom <= top:
            return
        under = image[self.y0 + top : self.y0 + bottom, self.x0 + left : self.x0 + right]
        over, share = part[top:bottom, left:right], opacity[top:bottom, left:right, None]
        under[:] = np.clip(under + share * (over - under) + 0.5, 0, 255).astype(np.uint8)
