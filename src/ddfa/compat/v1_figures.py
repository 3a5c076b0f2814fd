"""The two figures of the original 3DDFA V1: landmarks and pose boxes."""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import UInt8
from ddfa.draw.canvas import draw_dot, draw_lines, resized, scaled
from ddfa.draw.landmarks import LANDMARK_GROUPS
from ddfa.draw.pose_box import pose_box_corners
from ddfa.faces import Faces

# The original figure is 12 inches wide at 200 dpi, with lines of 1.5 points and markers of 4 points (1/72 inch).
_FIGURE_WIDTH: Final = 2400
_LINE_WIDTH: Final = 4
_LINE_OPACITY: Final = 0.7
_MARKER_RADIUS: Final = 5.5
_POSE_COLOUR: Final = (0, 255, 40)
_WHITE: Final = (255, 255, 255)


def draw_landmark_figure(image: UInt8, faces: Faces) -> UInt8:
    """Draw the 68 landmarks of all faces, white on the photo, 2400 px wide.

    Args:
        image: (H, W, 3) uint8 RGB, the photo.
        faces: the faces found in it.

    Returns:
        The image, uint8 RGB.
    """
    scale = _FIGURE_WIDTH / image.shape[1]
    photo = resized(image, scale)
    figure = photo.copy()
    points = [scaled(face, scale) for face in faces.landmarks68]
    for face in points:
        for group in LANDMARK_GROUPS:
            draw_lines(figure, [face[group.points]], group.closed, _WHITE, _LINE_WIDTH)
    figure = np.asarray(cv2.addWeighted(figure, _LINE_OPACITY, photo, 1 - _LINE_OPACITY, 0), np.uint8)
    for face in points:
        for point in face:
            draw_dot(figure, point, _MARKER_RADIUS + 1.5, (0, 0, 0))
            draw_dot(figure, point, _MARKER_RADIUS, _WHITE)
    return figure


def draw_pose_boxes(image: UInt8, faces: Faces) -> UInt8:
    """Draw the pose boxes of all faces on the photo, at its original size.

    Args:
        image: (H, W, 3) uint8 RGB, the photo.
        faces: the faces found in it.

    Returns:
        The image, uint8 RGB.
    """
    result = image.copy()
    for landmarks, rotation in zip(faces.landmarks68, faces.rotation, strict=True):
        corners = pose_box_corners(landmarks, rotation)
        edges = [corners[:4], corners[4:], *(corners[[k, k + 4]] for k in range(4))]
        draw_lines(result, edges, True, _POSE_COLOUR, 2)
    return result
