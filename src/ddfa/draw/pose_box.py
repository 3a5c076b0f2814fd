"""The pose of a head over a photo: a box, the axes, and the angles as text."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.draw.canvas import (
    INK,
    Colour,
    Window,
    draw_discs,
    draw_rimmed_lines,
    draw_text,
    enlarged,
    scaled,
    text_size,
    window_around,
)
from ddfa.geometry.camera import FLIP_Y

AXIS_COLOURS: Final[tuple[Colour, Colour, Colour]] = ((255, 82, 82), (88, 214, 113), (78, 156, 255))
_BOX_COLOUR: Final[Colour] = (255, 226, 132)
_FINE_WIDTH: Final = 3.0
_FINEST: Final = 4
_LETTERS: Final = (10.0, 44.0)  # px, height of the capitals of the angles


def pose_box_corners(landmarks: Float32, rotation: Float32) -> Float32:
    """Compute the pose box of original 3DDFA: a square behind the face and a larger one in front of it.

    Args:
        landmarks: (68, 3) image px.
        rotation: (3, 3) head to camera, y up.

    Returns:
        (8, 2) float32 image px: four corners of the rear square, four of the front one.
    """
    low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
    rear = float((high - low).max()) * np.sqrt(2) / 3
    front = rear * 4 / 3
    square = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]], np.float32)
    box = np.zeros((8, 3), np.float32)
    box[:4, :2], box[4:, :2], box[4:, 2] = square * rear, square * front, front
    corners = ((box @ rotation.T) * FLIP_Y)[:, :2]
    # As in original 3DDFA: the centre of the rear square is at the mean of jaw and brows.
    return np.asarray(corners - corners[:4].mean(axis=0) + landmarks[:27, :2].mean(axis=0), np.float32)


def draw_pose_box(canvas: UInt8, corners: Float32, width: float, *, rear: bool = True, front: bool = True) -> None:
    """Draw the box that turns with the head, or its rear or front part alone, in place.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        corners: (8, 2) in pixels of the canvas, see `pose_box_corners`.
        width: of the lines in px; those of the front are wider.
        rear: whether to draw the rear square and the edges towards the front.
        front: whether to draw the front square.
    """
    window = window_around(corners, canvas.shape, 3 * width + 3)
    if window.is_empty:
        return
    factor = _fineness(width)
    with enlarged(canvas, window, factor) as fine:
        points, stroke, rim = scaled(window.local(corners), factor), width * factor, factor * min(1.0, width)
        if rear:
            edges = [points[[near, near + 4]] for near in range(4)]
            draw_rimmed_lines(fine, edges, False, _BOX_COLOUR, 0.6 * stroke, 0.5 * rim)
            draw_rimmed_lines(fine, [points[:4]], True, _BOX_COLOUR, 0.6 * stroke, 0.5 * rim)
        if front:
            draw_rimmed_lines(fine, [points[4:]], True, _BOX_COLOUR, 1.2 * stroke, rim)


def draw_axes(canvas: UInt8, landmarks: Float32, rotation: Float32, width: float) -> None:
    """Draw the axes of the head from the tip of the nose, in place: x red, y (up) green, z (out of the face) blue.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        landmarks: (68, 3) in pixels of the canvas.
        rotation: (3, 3) head to camera, y up.
        width: of the lines in px.
    """
    origin = landmarks[30, :2]
    length = 0.45 * float(np.ptp(landmarks[:, :2], axis=0).max())
    tips = origin + length * (rotation * FLIP_Y[:, None])[:2].T  # a column of the rotation is an axis in the camera
    window = window_around(np.vstack([tips, origin[None]]), canvas.shape, 5 * width + 4)
    if window.is_empty:
        return
    factor = _fineness(width)
    with enlarged(canvas, window, factor) as fine:
        start, ends = scaled(window.local(origin[None]), factor), scaled(window.local(tips), factor)
        stroke, rim = 1.5 * width * factor, factor * min(1.0, width)
        for axis in np.argsort(rotation[2]):  # the one that points away from the viewer first
            colour, end = AXIS_COLOURS[axis], ends[axis][None]
            draw_rimmed_lines(fine, [np.vstack([start, end])], False, colour, stroke, rim)
            draw_discs(fine, end, 1.5 * stroke + rim, INK)
            draw_discs(fine, end, 1.5 * stroke, colour)


def draw_angles(
    canvas: UInt8, corners: Float32, turn_nod_tilt_deg: Float32, width: float, taken: Sequence[Window] = ()
) -> Window:
    """Draw the angles on a dark plate below the box, or above it where it would hide other plates, in place.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        corners: (8, 2) of the box, in pixels of the canvas.
        turn_nod_tilt_deg: (3,) turn, nod, tilt: unlike yaw, pitch and roll they are readable for profiles.
        width: of the lines of this face in px.
        taken: plates of other faces.

    Returns:
        The plate.
    """
    letters = float(np.clip(6.5 * width, *_LETTERS))
    words = _words(turn_nod_tilt_deg, letters, float(np.ptp(corners[:, 0])))
    length, height = text_size(words, letters)
    margin = round(0.6 * height)
    centre, (top, bottom) = float(corners[:, 0].mean()), (float(corners[:, 1].min()), float(corners[:, 1].max()))
    candidates = [
        _plate(canvas.shape, centre, base, length, height, margin)
        for base in (bottom + 2.5 * height, top - 1.5 * height, bottom + 5 * height)
    ]
    free = (plate for plate in candidates if not any(_overlap(plate, other) for other in taken))
    plate = next(free, candidates[0])
    ground = plate.of(canvas)
    ground[:] = np.rint(0.3 * ground + 0.7 * np.array(INK)).astype(np.uint8)
    draw_text(canvas, words, plate.x0 + margin, plate.y1 - margin, letters)
    return plate


def _words(turn_nod_tilt_deg: Float32, letters: float, available: float) -> str:
    """The angles with their names, or as numbers alone where that would be much wider than the box."""
    angles = np.rint(turn_nod_tilt_deg) + 0.0  # no "-0"
    words = "turn {:+.0f}  nod {:+.0f}  tilt {:+.0f}".format(*angles)
    return words if text_size(words, letters)[0] < 1.6 * available else "{:+.0f} {:+.0f} {:+.0f}".format(*angles)


def _plate(shape: tuple[int, ...], centre: float, base: float, length: int, height: int, margin: int) -> Window:
    """The background of a line of text, moved into the image."""
    x = int(np.clip(centre - length / 2, margin, max(margin, shape[1] - length - margin)))
    y = int(np.clip(base, height + margin, max(height + margin, shape[0] - margin)))
    return Window(x - margin, y - height - margin, x + length + margin, y + margin)


def _overlap(one: Window, other: Window) -> bool:
    return one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1


def _fineness(width: float) -> int:
    return int(np.clip(np.ceil(_FINE_WIDTH / width), 1, _FINEST))
