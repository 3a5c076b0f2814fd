"""Drawing primitives: resized pictures, points carried over to them, smooth lines and dots at sub-pixel places."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8

Colour: TypeAlias = tuple[int, int, int]

_FAR: Final = 1_000_000  # px; points beyond are clipped, which keeps OpenCV's integers from overflowing
_SUBPIXEL_BITS: Final = 4


def resized(image: UInt8, scale: float) -> UInt8:
    """Return a copy of a picture with its sides multiplied by `scale`."""
    if scale == 1:
        return image.copy()
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), np.uint8)


def scaled(points: Float32, scale: float) -> Float32:
    """Carry image points (K, 3) over to the picture `resized` makes; pixel centres are integers in both."""
    moved = points * np.float32(scale)
    moved[:, :2] += 0.5 * (scale - 1)
    return moved


def draw_lines(canvas: UInt8, lines: Sequence[Float32], closed: bool, colour: Colour, thickness: int) -> None:
    """Draw smooth lines through points, in place.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        lines: each (K, 2 or 3) in pixels of the canvas.
        closed: whether the last point is joined to the first.
        colour: RGB.
        thickness: in px.
    """
    fixed = [np.rint(np.clip(line[:, :2], -_FAR, _FAR) * 2**_SUBPIXEL_BITS).astype(np.int32) for line in lines]
    cv2.polylines(canvas, fixed, closed, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def draw_dot(canvas: UInt8, centre: Float32, radius: float, colour: Colour) -> None:
    """Draw a disc with soft edges, in place; OpenCV's small circles are diamonds.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        centre: (2 or 3,) in pixels of the canvas.
        radius: in px.
        colour: RGB.
    """
    reach = int(radius) + 2
    column, row = (int(v) for v in np.rint(np.clip(centre[:2], -_FAR, _FAR)))
    x0, y0 = max(column - reach, 0), max(row - reach, 0)
    window = canvas[y0 : max(row + reach + 1, 0), x0 : max(column + reach + 1, 0)]
    y, x = np.ogrid[y0 : y0 + window.shape[0], x0 : x0 + window.shape[1]]
    cover = np.clip(radius + 0.5 - np.hypot(x - centre[0], y - centre[1]), 0, 1)[..., None]
    window[:] = np.rint(window * (1 - cover) + np.array(colour) * cover).astype(np.uint8)
