"""Drawing primitives: resizing of images and points, antialiased lines, dots and text."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple, TypeAlias

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8

Colour: TypeAlias = tuple[int, int, int]

INK: Final[Colour] = (20, 24, 32)
WHITE: Final[Colour] = (255, 255, 255)
FONT: Final = cv2.FONT_HERSHEY_DUPLEX
_FAR: Final = 1_000_000  # px; points beyond are clipped, which keeps OpenCV's integers from overflowing
_SUBPIXEL_BITS: Final = 4


class Window(NamedTuple):
    """A part of an image.

    Attributes:
        x0: first column.
        y0: first row.
        x1: column after the last.
        y1: row after the last.
    """

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def is_empty(self) -> bool:
        """Whether it holds no pixel."""
        return self.x1 <= self.x0 or self.y1 <= self.y0

    def of(self, canvas: UInt8) -> UInt8:
        """Return a view of that part of an image (H, W, 3)."""
        return canvas[self.y0 : self.y1, self.x0 : self.x1]

    def local(self, points: Float32) -> Float32:
        """Transform points (K, 2 or 3) from pixels of the image to pixels of the part."""
        return points - np.array([self.x0, self.y0, 0][: points.shape[1]], np.float32)


def window_around(points: Float32, shape: tuple[int, ...], margin: float = 2.0) -> Window:
    """Find the part of an image that contains points.

    Args:
        points: (K, 2 or 3) px; those that are not finite are ignored.
        shape: of the image, (H, W, ...).
        margin: around the points, px.
    """
    axes = np.ascontiguousarray(points.T)  # along rows, NumPy finds extremes many times faster
    finite = np.isfinite(axes)
    if not finite.all():
        axes = axes[:, finite.all(axis=0)]
    if not axes.size:
        return Window(0, 0, 0, 0)
    low = np.clip(np.floor(axes[:2].min(axis=1) - margin), 0, _FAR).astype(int)
    high = np.clip(np.ceil(axes[:2].max(axis=1) + margin) + 1, 0, shape[1::-1]).astype(int)
    return Window(int(low[0]), int(low[1]), int(high[0]), int(high[1]))


def resized(image: UInt8, scale: float) -> UInt8:
    """Return a copy of an image with its sides multiplied by `scale`."""
    if scale == 1:
        return image.copy()
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), np.uint8)


def scaled(points: Float32, scale: float) -> Float32:
    """Transform image points (K, 3) to the image that `resized` returns; pixel centres are integers in both."""
    moved = points * np.float32(scale)
    moved[:, :2] += 0.5 * (scale - 1)
    return moved


@contextmanager
def enlarged(canvas: UInt8, window: Window, factor: int) -> Iterator[UInt8]:
    """Draw into a part of an image on a finer grid, so that lines can be thinner than a pixel.

    Pixels that are not drawn on stay unchanged: they are repeated on entry and averaged on exit.

    Args:
        canvas: (H, W, 3) uint8 RGB, changed on exit.
        window: the part; not empty.
        factor: fine pixels per pixel of the image.

    Yields:
        The part, `factor` times as large; `scaled` transforms its points.
    """
    part = window.of(canvas)
    if factor == 1:
        yield part
        return
    fine = np.asarray(cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST), np.uint8)
    yield fine
    part[:] = cv2.resize(fine, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_AREA)


def draw_lines(canvas: UInt8, lines: Sequence[Float32], closed: bool, colour: Colour, thickness: int) -> None:
    """Draw antialiased lines through points, in place.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        lines: each (K, 2 or 3) in pixels of the canvas.
        closed: whether the last point is joined to the first.
        colour: RGB.
        thickness: in px.
    """
    fixed = [_fixed(line) for line in lines]
    cv2.polylines(canvas, fixed, closed, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def draw_rimmed_lines(
    canvas: UInt8, lines: Sequence[Float32], closed: bool, colour: Colour, width: float, rim: float
) -> None:
    """Draw lines with a thin dark rim, which keeps them visible on any background, in place.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        lines: each (K, 2 or 3) in pixels of the canvas.
        closed: whether the last point is joined to the first.
        colour: RGB.
        width: of the coloured line in px.
        rim: width of the rim on each side in px.
    """
    thickness = max(1, round(width))
    draw_lines(canvas, lines, closed, INK, thickness + 2 * max(1, round(rim)))
    draw_lines(canvas, lines, closed, colour, thickness)


def draw_dot(canvas: UInt8, centre: Float32, radius: float, colour: Colour) -> None:
    """Draw an antialiased disc, in place; OpenCV draws small circles as diamonds.

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


def draw_discs(canvas: UInt8, centres: Float32, radius: float, colour: Colour) -> None:
    """Draw many discs quickly, in place; for radii below about 3 px, use `draw_dot`.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        centres: (K, 2 or 3) in pixels of the canvas.
        radius: in px.
        colour: RGB.
    """
    fixed_radius = max(1, round(radius * 2**_SUBPIXEL_BITS))
    for x, y in _fixed(centres).tolist():
        cv2.circle(canvas, (x, y), fixed_radius, colour, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)


def text_size(text: str, height: float) -> tuple[int, int]:
    """Measure a line of text whose capitals are `height` px high: its width and height in px."""
    (width, tall), _ = cv2.getTextSize(text, FONT, height / 22, max(1, round(height / 14)))
    return int(width), int(tall)


def draw_text(canvas: UInt8, text: str, x: int, y: int, height: float, colour: Colour = WHITE) -> None:
    """Draw a line of text, in place.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        text: ASCII; OpenCV's fonts contain nothing else.
        x: left end, px.
        y: base line, px.
        height: of capitals in px.
        colour: RGB.
    """
    cv2.putText(canvas, text, (x, y), FONT, height / 22, colour, max(1, round(height / 14)), cv2.LINE_AA)


def _fixed(points: Float32) -> "np.typing.NDArray[np.int32]":
    """Points (K, 2 or 3) as OpenCV's fixed-point integers (K, 2)."""
    return np.rint(np.clip(points[:, :2], -_FAR, _FAR) * 2**_SUBPIXEL_BITS).astype(np.int32)
