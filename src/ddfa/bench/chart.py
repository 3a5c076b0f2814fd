"""Line charts drawn with OpenCV, for instance cumulative error curves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float64, Floats, UInt8
from ddfa.draw.canvas import Colour, draw_lines

# The palette of Okabe and Ito, for readers with colour vision deficiency.
_COLOURS: Final[tuple[Colour, ...]] = (
    (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (60, 60, 60),
)  # fmt: skip
_INK: Final[Colour] = (40, 44, 52)
_GRID: Final[Colour] = (225, 228, 232)
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 24, 60, 64  # margins, px
_TICKS: Final = 8
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_SUPERSAMPLING: Final = 2


@dataclass(frozen=True)
class Chart:
    """Lines in one coordinate system, whose axes start at 0.

    Attributes:
        title: ASCII, like the labels.
        x_label: label of the horizontal axis.
        y_label: label of the vertical axis.
        lines: name -> (x, y), each (m,).
        x_end: right end of the horizontal axis.
        y_end: upper end of the vertical axis.
    """

    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, tuple[Floats, Floats]]
    x_end: float
    y_end: float


def cumulative_curve(errors: Floats, missed: int = 0) -> tuple[Float64, Float64]:
    """The percentage of faces whose error is at most x.

    Args:
        errors: (m,) of the faces found.
        missed: faces not found; they count as failures at any x.

    Returns:
        x and y, (m + 1,) each, from x = 0.
    """
    x = np.sort(np.asarray(errors, np.float64))
    return np.r_[0.0, x], 100 * np.arange(len(x) + 1) / max(len(x) + missed, 1)


def cumulative_chart(title: str, x_label: str, errors: Mapping[str, tuple[Floats, int]]) -> Chart:
    """The cumulative error curves of several models.

    Args:
        title: of the chart.
        x_label: the error and its unit.
        errors: name -> errors (m,) of the faces found, number of faces not found.

    Returns:
        The chart; it ends at the 95th percentile of the worst model.
    """
    ends = [float(np.quantile(values, 0.95)) for values, _ in errors.values() if len(values)]
    end = max([*ends, 1e-6])
    curves = {name: cumulative_curve(*pair) for name, pair in errors.items()}
    lines = {name: (np.r_[x, max(end, x[-1])], np.r_[y, y[-1]]) for name, (x, y) in curves.items()}
    return Chart(title, x_label, "faces (%)", lines, end, 100.0)


def draw_chart(chart: Chart, size: tuple[int, int] = (760, 520)) -> UInt8:
    """Draw a chart.

    Args:
        chart: what to draw.
        size: width and height in px.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    width, height = size
    # Drawn on a larger canvas and reduced, for antialiased text and curves.
    canvas = np.full((_SUPERSAMPLING * height, _SUPERSAMPLING * width, 3), 255, np.uint8)
    area = (_LEFT, _TOP, width - _RIGHT, height - _BOTTOM)
    _draw_axes(canvas, chart, area)
    for number, (x, y) in enumerate(chart.lines.values()):
        _draw_curve(canvas, chart, area, x, y, _COLOURS[number % len(_COLOURS)])
    _draw_legend(canvas, list(chart.lines), area)
    return np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.uint8)


def _draw_axes(canvas: UInt8, chart: Chart, area: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = area
    for value in _ticks(chart.x_end):
        x = left + (right - left) * value / chart.x_end
        _line(canvas, [(x, top), (x, bottom)], _GRID, 1)
        _text(canvas, f"{value:g}", (x, bottom + 20), 0.42, centred=True)
    for value in _ticks(chart.y_end):
        y = bottom - (bottom - top) * value / chart.y_end
        _line(canvas, [(left, y), (right, y)], _GRID, 1)
        text = f"{value:g}"
        _text(canvas, text, (left - 8 - _text_width(text, 0.42), y + 4), 0.42)
    _line(canvas, [(left, top), (left, bottom), (right, bottom)], _INK, 1)
    fitting = min(1.0, (right - left) / max(_text_width(chart.title, 0.55), 1.0))
    _text(canvas, chart.title, (left, 24), 0.55 * fitting)
    _text(canvas, chart.y_label, (left, top - 10), 0.42)
    _text(canvas, chart.x_label, ((left + right) / 2, bottom + 46), 0.48, centred=True)


def _draw_curve(
    canvas: UInt8, chart: Chart, area: tuple[int, int, int, int], x: Floats, y: Floats, colour: Colour
) -> None:
    left, top, right, bottom = area
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    inside = x <= chart.x_end
    if not inside.any():
        return
    x, y = x[inside], y[inside]
    columns = left + (right - left) * x / chart.x_end
    rows = bottom - (bottom - top) * np.clip(y / chart.y_end, 0, 1)
    _line(canvas, list(zip(columns.tolist(), rows.tolist(), strict=True)), colour, 2)


def _draw_legend(canvas: UInt8, names: list[str], area: tuple[int, int, int, int]) -> None:
    """Draw the legend at the lower or upper right, where it hides less of the curves."""
    _, top, right, bottom = area
    widest = max((_text_width(name, 0.45) for name in names), default=0)
    height = 20 * len(names) + 10
    columns = _rows(right - 56 - widest, right - 4)
    starts = (bottom - 4 - height, top + 4)
    hidden = [np.sum(canvas[_rows(start, start + height), columns].min(axis=-1) < min(_GRID)) for start in starts]
    start = starts[int(np.argmin(hidden))]
    canvas[_rows(start, start + height), columns] = 255
    for number, name in enumerate(names):
        x, y = right - 12 - widest, start + 20 * (number + 1)
        _line(canvas, [(x - 34, y - 4), (x - 8, y - 4)], _COLOURS[number % len(_COLOURS)], 3)
        _text(canvas, name, (x, y), 0.45)


def _ticks(end: float) -> list[float]:
    """Round values from 0 to `end`, at most `_TICKS` steps."""
    power = 10 ** np.floor(np.log10(end / _TICKS))
    step = next(power * k for k in (1, 2, 5, 10) if end / (power * k) <= _TICKS)
    return [float(step * k) for k in range(int(end / step + 1e-9) + 1)]


def _line(canvas: UInt8, points: list[tuple[float, float]], colour: Colour, thickness: int) -> None:
    draw_lines(canvas, [np.array(points, np.float32) * _SUPERSAMPLING], False, colour, thickness * _SUPERSAMPLING)


def _rows(first: float, last: float) -> slice:
    """The rows, or columns, of the canvas between two positions of the chart, px."""
    return slice(max(round(first * _SUPERSAMPLING), 0), max(round(last * _SUPERSAMPLING), 0))


def _text(canvas: UInt8, text: str, position: tuple[float, float], size: float, centred: bool = False) -> None:
    """Write ASCII text; `position` is the left, or the middle, of its baseline."""
    x = position[0] - (_text_width(text, size) / 2 if centred else 0)
    corner = (round(x * _SUPERSAMPLING), round(position[1] * _SUPERSAMPLING))
    cv2.putText(canvas, text, corner, _FONT, size * _SUPERSAMPLING, _INK, _SUPERSAMPLING, cv2.LINE_AA)


def _text_width(text: str, size: float) -> float:
    return float(cv2.getTextSize(text, _FONT, size * _SUPERSAMPLING, _SUPERSAMPLING)[0][0]) / _SUPERSAMPLING
