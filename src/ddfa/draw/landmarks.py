"""The 68 landmarks over a photo: joined in groups; landmarks that the head itself occludes are drawn faintly."""

from itertools import pairwise
from typing import Final, NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, UInt8
from ddfa.draw.canvas import (
    INK,
    WHITE,
    Colour,
    draw_discs,
    draw_lines,
    draw_rimmed_lines,
    enlarged,
    scaled,
    window_around,
)


class LandmarkGroup(NamedTuple):
    """A polyline through some of the iBUG-68 landmarks.

    Attributes:
        name: what it outlines.
        points: range of landmark indices.
        closed: whether the last is joined to the first.
        colour: RGB.
    """

    name: str
    points: slice
    closed: bool
    colour: Colour


LANDMARK_GROUPS: Final = (
    LandmarkGroup("jaw", slice(0, 17), False, (255, 214, 102)),
    LandmarkGroup("right brow", slice(17, 22), False, (255, 146, 76)),
    LandmarkGroup("left brow", slice(22, 27), False, (255, 146, 76)),
    LandmarkGroup("nose bridge", slice(27, 31), False, (126, 232, 135)),
    LandmarkGroup("nostrils", slice(31, 36), False, (126, 232, 135)),
    LandmarkGroup("right eye", slice(36, 42), True, (92, 208, 255)),
    LandmarkGroup("left eye", slice(42, 48), True, (92, 208, 255)),
    LandmarkGroup("outer lips", slice(48, 60), True, (255, 112, 150)),
    LandmarkGroup("inner lips", slice(60, 68), True, (255, 112, 150)),
)

_FINE_WIDTH: Final = 3.0  # px; thinner lines are drawn on a finer grid
_FINEST: Final = 4
_FAINT: Final = 0.45  # opacity of what is hidden


def line_width(landmarks: Float32) -> float:
    """Choose the width of lines over a face, px, in proportion to its size."""
    return max(0.6, float(np.ptp(landmarks[:, :2], axis=0).max()) / 170)


def draw_landmarks(canvas: UInt8, landmarks: Float32, hidden: Bools | None = None) -> None:
    """Draw the 68 landmarks, joined in groups, in place; the width of lines follows the size of the face.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        landmarks: (68, 2 or 3) in pixels of the canvas.
        hidden: (68,) bool, landmarks to draw faintly, with the lines between them; none by default.
    """
    width = line_width(landmarks)
    window = window_around(landmarks, canvas.shape, 3 * width + 3)
    if window.is_empty:
        return
    is_hidden = np.zeros(len(landmarks), bool) if hidden is None else hidden
    factor = int(np.clip(np.ceil(_FINE_WIDTH / width), 1, _FINEST))
    with enlarged(canvas, window, factor) as fine:
        points = scaled(window.local(landmarks), factor)
        if is_hidden.any():
            faint = fine.copy()
            _draw(faint, points, is_hidden, True, width * factor, factor)
            cv2.addWeighted(faint, _FAINT, fine, 1 - _FAINT, 0, dst=fine)
        _draw(fine, points, is_hidden, False, width * factor, factor)


def _draw(canvas: UInt8, points: Float32, hidden: Bools, faintly: bool, width: float, factor: int) -> None:
    """Draw the hidden or the visible part: lines, then dots over them."""
    rim = factor * min(1.0, width / factor)
    for group in LANDMARK_GROUPS:
        for run in _runs(np.arange(68)[group.points], group.closed, hidden, faintly):
            if faintly:
                draw_lines(canvas, [points[run]], False, group.colour, max(1, round(0.8 * width)))
            else:
                draw_rimmed_lines(canvas, [points[run]], False, group.colour, width, rim)
    dots = points[hidden == faintly]
    if faintly:
        draw_discs(canvas, dots, 1.2 * width, INK)
    else:
        draw_discs(canvas, dots, 1.15 * width + 1.2 * rim, INK)
        draw_discs(canvas, dots, 1.15 * width + 0.3 * rim, WHITE)


def _runs(points: "np.typing.NDArray[np.intp]", closed: bool, hidden: Bools, faintly: bool) -> list[list[int]]:
    """Split the line of a group into runs to draw: a segment is faint if both of its ends are hidden."""
    line = [*points.tolist(), *([int(points[0])] if closed else [])]
    runs: list[list[int]] = []
    for start, end in pairwise(line):
        if bool(hidden[start] and hidden[end]) != faintly:
            continue
        if runs and runs[-1][-1] == start:
            runs[-1].append(end)
        else:
            runs.append([start, end])
    return runs
