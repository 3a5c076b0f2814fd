"""Faces drawn over their photo: the mesh as translucent clay, the 68 landmarks in their groups, a box for the pose."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.faces import Faces
from ddfa.head.model import HeadModel
from ddfa.render.canvas import Colour, draw_dot, draw_lines, resized, scaled
from ddfa.render.rasterize import interpolate, rasterize, shade, vertex_normals


class LandmarkGroup(NamedTuple):
    """One line through some of the iBUG-68 landmarks.

    Attributes:
        name: what it outlines.
        points: the landmarks from `points.start` on, up to `points.stop`.
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

# The overlay is drawn at this length of the longer side: lines on a 200 px photo would hide the face, and the
# finest line on a 20,000 px photo is not seen.
OVERLAY_SIDES: Final = (1200, 2400)
_CLAY: Final = np.array([150, 205, 250], np.float32)
_WHITE: Final[Colour] = (255, 255, 255)
_OUTLINE: Final[Colour] = (20, 24, 32)
_POSE_COLOUR: Final[Colour] = (64, 255, 120)
_Y_UP: Final = np.array([1, -1, 1], np.float32)


@dataclass(frozen=True)
class OverlayStyle:
    """What an overlay shows.

    Attributes:
        mesh: opacity of the dense mesh, 0 for none.
        landmarks: whether the 68 landmarks are drawn.
        pose: whether the pose box and the angles are drawn.
    """

    mesh: float = 0.45
    landmarks: bool = True
    pose: bool = True


def draw_overlay(image: UInt8, faces: Faces, style: OverlayStyle = OverlayStyle()) -> UInt8:
    """Draw the faces over a copy of their photo, resized so that its longer side is 1200 to 2400 px.

    Args:
        image: (H, W, 3) uint8 RGB, the photo the faces were found in.
        faces: the faces; the smallest is drawn first, the largest on top.
        style: what to show.

    Returns:
        The picture, uint8 RGB.
    """
    scale = _overlay_scale(image.shape[0], image.shape[1])
    canvas = resized(image, scale)
    heights = np.ptp(faces.landmarks68[..., 1], axis=1)
    for index in np.argsort(heights):
        _draw_face(canvas, faces, int(index), scale, style)
    return canvas


def _draw_face(canvas: UInt8, faces: Faces, index: int, scale: float, style: OverlayStyle) -> None:
    """Draw one face from back to front: rear of the pose box, mesh, front of the box, landmarks."""
    landmarks = scaled(faces.landmarks68[index], scale)
    corners, width = pose_box_corners(landmarks, faces.rotation[index]), _line_width(landmarks)
    if style.pose:
        draw_pose_box(canvas, corners, width, front=False)
    if style.mesh > 0 and len(faces.head.triangles):
        draw_mesh(canvas, scaled(faces.vertices[index], scale), faces.head, style.mesh)
    if style.pose:
        draw_pose_box(canvas, corners, width, rear=False)
    if style.landmarks:
        draw_landmarks(canvas, landmarks)
    if style.pose:
        angles = np.rint(faces.euler_deg[index]) + 0.0  # no "-0"
        _label(canvas, corners, "yaw {:+.0f}  pitch {:+.0f}  roll {:+.0f}".format(*angles), width)


def draw_mesh(canvas: UInt8, vertices: Float32, head: HeadModel, opacity: float) -> None:
    """Blend a shaded mesh into a picture, in place.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        vertices: (V, 3) in pixels of the canvas, z towards the viewer.
        head: the model of the vertices; its hair and neck hide what lies behind them but are not shown.
        opacity: of the mesh, in [0, 1].
    """
    low = np.clip(np.floor(vertices[:, :2].min(axis=0)).astype(int) - 2, 0, None)
    high = np.minimum(np.ceil(vertices[:, :2].max(axis=0)).astype(int) + 3, canvas.shape[1::-1])
    if (high <= low).any():
        return
    window = canvas[low[1] : high[1], low[0] : high[0]]
    local = vertices - np.array([*low, 0], np.float32)
    raster = rasterize(local, head.triangles, *window.shape[:2])
    # Normals live in a right-handed space: flip y.
    brightness = shade(vertex_normals(vertices * _Y_UP, head.triangles))
    # Interpolated too, what is shown fades out over one triangle instead of ending in teeth.
    spread = interpolate(raster, head.triangles, np.stack([brightness, _shown(head)], axis=1))
    alpha = cv2.GaussianBlur(spread[..., 1], (0, 0), 0.8)[..., None] * opacity
    clay = np.clip(spread[..., :1] * _CLAY, 0, 255)
    window[:] = np.rint(window * (1 - alpha) + clay * alpha).astype(np.uint8)


def draw_landmarks(canvas: UInt8, landmarks: Float32) -> None:
    """Draw the 68 landmarks, joined in their groups, in place; lines are as wide as the face is large.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        landmarks: (68, 2 or 3) in pixels of the canvas.
    """
    width = _line_width(landmarks)
    for group in LANDMARK_GROUPS:
        _stroke(canvas, landmarks[group.points], group.closed, group.colour, width)
    for radius, colour in ((width + 1.9, _OUTLINE), (width + 0.7, _WHITE)):
        for point in landmarks:
            draw_dot(canvas, point, radius, colour)


def draw_pose_box(canvas: UInt8, corners: Float32, width: float, *, rear: bool = True, front: bool = True) -> None:
    """Draw the box that turns with the head, or its rear or front part alone, in place.

    Args:
        canvas: (H, W, 3) uint8 RGB.
        corners: (8, 2) in pixels of the canvas, see `pose_box_corners`.
        width: of the lines in px; those of the front are wider.
        rear: whether to draw the rear square and the edges towards the front.
        front: whether to draw the front square.
    """
    if rear:
        for near in range(4):
            _stroke(canvas, corners[[near, near + 4]], False, _POSE_COLOUR, 0.7 * width)
        _stroke(canvas, corners[:4], True, _POSE_COLOUR, 0.7 * width)
    if front:
        _stroke(canvas, corners[4:], True, _POSE_COLOUR, 1.3 * width)


def pose_box_corners(landmarks: Float32, rotation: Float32) -> Float32:
    """Place the published pose box: a square behind the face and a larger one before it.

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
    corners = ((box @ rotation.T) * _Y_UP)[:, :2]
    # Hung where the published code hangs it: the rear square's centre at the mean of jaw and brows.
    return np.asarray(corners - corners[:4].mean(axis=0) + landmarks[:27, :2].mean(axis=0), np.float32)


def _overlay_scale(height: int, width: int) -> float:
    longest = max(height, width)
    return min(max(longest, OVERLAY_SIDES[0]), OVERLAY_SIDES[1]) / longest


def _shown(head: HeadModel) -> Float32:
    """(V,) float32, 1 for the face, ears, eyes and mouth of an open head, 0 for hair and neck; 1 for a Basel head."""
    if "face" not in head.regions:
        return np.ones(head.vertices, np.float32)
    skin, face, ears = (head.regions[name] for name in ("skin", "face", "ears"))
    return np.asarray(~skin | face | ears, np.float32)


def _line_width(landmarks: Float32) -> float:
    return max(1.0, float(np.ptp(landmarks[:, :2], axis=0).max()) / 180)


def _stroke(canvas: UInt8, points: Float32, closed: bool, colour: Colour, width: float) -> None:
    """Draw a line with a thin dark rim, which keeps it visible on any ground."""
    thickness = max(1, round(width))
    draw_lines(canvas, [points], closed, _OUTLINE, thickness + 2)
    draw_lines(canvas, [points], closed, colour, thickness)


def _label(canvas: UInt8, corners: Float32, text: str, width: float) -> None:
    """Write a line of text on a dark plate below the box, within the picture."""
    size, thickness = max(0.5, 0.32 * width), max(1, round(0.5 * width))
    (length, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, size, thickness)
    margin = round(0.6 * height)
    x = int(np.clip(corners[:, 0].mean() - length / 2, margin, max(margin, canvas.shape[1] - length - margin)))
    y = int(np.clip(corners[:, 1].max() + 2.5 * height, height + margin, canvas.shape[0] - margin - 1))
    plate = canvas[max(0, y - height - margin) : y + margin, max(0, x - margin) : x + length + margin]
    plate[:] = np.rint(0.35 * plate + 0.65 * np.array(_OUTLINE)).astype(np.uint8)
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_DUPLEX, size, _WHITE, thickness, cv2.LINE_AA)
