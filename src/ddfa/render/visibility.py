"""Which vertices and landmarks the photo shows: inside the picture, facing the viewer, not hidden by the face."""

from typing import Final, NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, Floats
from ddfa.faces import Faces
from ddfa.render.rasterize import rasterize, vertex_normals

_SIDE: Final = 320  # px of the depth buffer, so that the answer does not depend on the size of the photo
_Y_UP: Final = np.array([1, -1, 1], np.float32)
# Points of lids and lips lie in folds, and jaw points on or just behind the outline, whose normals turn away: landmarks
# count as seen if beside them (1.5 mm of an open head) no more than a fold (6 mm) lies before them. A surface so steep
# that it runs along the line of sight would otherwise hide its own points.
_BESIDE: Final = 2  # px of the depth buffer
_FOLD: Final = 8.0  # px of the depth buffer


class Visibility(NamedTuple):
    """What the photo shows of one face.

    Attributes:
        vertices: (V,) bool.
        landmarks68: (68,) bool.
    """

    vertices: Bools
    landmarks68: Bools


def face_visibility(face: Faces) -> Visibility:
    """Find what is seen of a face, with a z-buffer; other faces and things before it are not known of.

    Args:
        face: one face; of several, the first is taken.

    Returns:
        The visible vertices and landmarks. A head model without triangles hides nothing.
    """
    head, points = face.head, np.asarray(face.vertices[0], np.float32)
    corners, weights = head.landmark_vertices, head.landmark_weights[..., None]
    landmarks = (points[corners] * weights).sum(axis=1)  # the z origin of `landmarks68` may be another (V2)
    inside = [_inside(p, face.image_size) for p in (points, landmarks)]
    if not len(head.triangles):
        return Visibility(*inside)
    low = points[:, :2].min(axis=0)
    scale = (_SIDE - 5) / max(float(np.ptp(points[:, :2], axis=0).max()), 1e-6)
    placed = [np.column_stack([(p[:, :2] - low) * scale + 2, p[:, 2] * scale]) for p in (points, landmarks)]
    depth = rasterize(np.asarray(placed[0], np.float32), head.triangles, _SIDE, _SIDE).depth
    facing = vertex_normals(points * _Y_UP, head.triangles)[:, 2]
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _BESIDE + 1, 2 * _BESIDE + 1))
    return Visibility(
        # Within a pixel a slanted surface spans some depth.
        inside[0] & (facing > 0) & (_covering(placed[0], depth) < 0.8 + 0.8 / np.maximum(facing, 0.2)),
        inside[1] & (_covering(placed[1], cv2.erode(depth, reach)) < _FOLD),
    )


def _inside(points: Floats, size: tuple[int, int]) -> Bools:
    return np.asarray(((points[:, :2] >= -0.5) & (points[:, :2] <= np.array(size) - 0.5)).all(axis=1))


def _covering(points: Floats, depth: Float32) -> Floats:
    """How far the nearest surface lies before points (K, 3), px."""
    x, y = np.clip(np.rint(points[:, :2]), 0, _SIDE - 1).astype(int).T
    return np.asarray(depth[y, x] - points[:, 2])
