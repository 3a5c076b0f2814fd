"""Which vertices and landmarks are visible: inside the image, facing the viewer, not hidden by the face itself.

There are two tests of landmarks. `landmark_visibility` is what files and records contain: landmarks outside the image
are not visible, and Numba is not needed. `hidden_landmarks` is for overlays, which draw hidden landmarks faintly: it
uses a coarser z-buffer and ignores the border of the image.
"""

from typing import Final, NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, Floats, Int32
from ddfa.faces import Faces
from ddfa.geometry.camera import FLIP_Y
from ddfa.head.model import HeadModel

# All lengths below are px of a head scaled to this height or width, so that results do not depend on the size of the
# photo; 4 px are 3 mm of the open head.
_SIDE: Final = 320
_MARGIN: Final = 2
# Landmarks of lids and lips are in folds, and jaw points are on or just behind the outline, whose normals turn away.
# A landmark therefore counts as visible if, at its position or beside it, the nearest surface is no more than the depth
# of a fold in front of it. Otherwise a surface nearly parallel to the line of sight would hide its own points.
_FOLD: Final = 8.0
_BESIDE: Final = 2.0
_OFFSETS: Final = _BESIDE * np.array([[0, 0], *((np.cos(a), np.sin(a)) for a in np.arange(8) * np.pi / 4)])
_NARROW: Final = 8.0  # px, width of nearly all triangles
_OVERLAY_SIDE: Final = 160  # px; length of the face in the z-buffer of `hidden_landmarks`
_OVERLAY_SLACK: Final = 3.0  # px of that z-buffer by which a surface may lie in front of a landmark on it


class Visibility(NamedTuple):
    """Visibility of one face in its photo.

    Attributes:
        vertices: (V,) bool.
        landmarks68: (68,) bool.
    """

    vertices: Bools
    landmarks68: Bools


def face_visibility(face: Faces) -> Visibility:
    """Find the visible vertices and landmarks of a face; occlusion by other faces and objects is not considered.

    Args:
        face: one face; of several, the first is used.

    Returns:
        The visible vertices and landmarks. A head model without triangles hides nothing.
    """
    return Visibility(vertex_visibility(face), landmark_visibility(face))


def landmark_visibility(face: Faces) -> Bools:
    """Find the visible landmarks, (68,) bool, see `face_visibility`; without Numba, which takes time to load."""
    return face.remember("landmark_visibility", lambda: _landmark_visibility(face))


def _landmark_visibility(face: Faces) -> Bools:
    head, vertices = face.head, np.asarray(face.vertices[0], np.float32)
    # Not `landmarks68`: under the V2 convention its z origin differs from that of the vertices.
    points = (vertices[head.landmark_vertices] * head.landmark_weights[..., None]).sum(axis=1)
    inside = _inside(points, face.image_size)
    if not len(head.triangles):
        return inside
    mesh, placed = _enlarged(vertices, vertices), _enlarged(points, vertices)
    nearest = nearest_surface(placed[:, None, :2] + _OFFSETS, mesh, head.triangles)
    return np.asarray(inside & (nearest.min(axis=1) - placed[:, 2] < _FOLD))


def vertex_visibility(face: Faces) -> Bools:
    """Find the visible vertices, (V,) bool, with a z-buffer, see `face_visibility`."""
    return face.remember("vertex_visibility", lambda: _vertex_visibility(face))


def _vertex_visibility(face: Faces) -> Bools:
    # Imported here: Numba takes time to load.
    from ddfa.raster.rasterize import rasterize, vertex_normals

    triangles, vertices = face.head.triangles, np.asarray(face.vertices[0], np.float32)
    inside = _inside(vertices, face.image_size)
    if not len(triangles):
        return inside
    mesh = _enlarged(vertices, vertices)
    depth = rasterize(mesh, triangles, _SIDE, _SIDE).depth
    x, y = np.clip(np.rint(mesh[:, :2]), 0, _SIDE - 1).astype(int).T
    facing = vertex_normals(vertices * FLIP_Y, triangles)[:, 2]
    # Within a pixel a slanted surface spans some depth.
    return np.asarray(inside & (facing > 0) & (depth[y, x] - mesh[:, 2] < 0.8 + 0.8 / np.maximum(facing, 0.2)))


def hidden_landmarks(landmarks: Float32, vertices: Float32, head: HeadModel) -> Bools:
    """Find the landmarks that the head itself hides, with a small z-buffer of it.

    Args:
        landmarks: (68, 3) px, z towards the viewer.
        vertices: (V, 3) in the same pixels.
        head: the model of the vertices.

    Returns:
        (68,) bool; all False for a model without triangles.
    """
    # Imported here: Numba takes time to load.
    from ddfa.raster.rasterize import rasterize

    low, extent = landmarks.min(axis=0), float(np.ptp(landmarks[:, :2], axis=0).max())
    if not len(head.triangles) or not np.isfinite(extent) or extent <= 0:
        return np.zeros(len(landmarks), bool)
    factor, margin = np.float32(_OVERLAY_SIDE / extent), 2
    origin = low - np.float32(margin) / factor
    points = (landmarks - origin) * factor
    width, height = (int(side) + 2 * margin for side in np.ceil(points[:, :2].max(axis=0)))
    depth = rasterize((vertices - origin) * factor, head.triangles, height, width, cull=True).depth
    return hidden_in(depth, points, _OVERLAY_SIDE)


def hidden_in(depth: Float32, landmarks: Float32, extent: float) -> Bools:
    """Find the landmarks that are behind the surface in a z-buffer.

    Args:
        depth: (H, W) float32, -inf on background.
        landmarks: (68, 3) in its pixels.
        extent: length of the face in its pixels.

    Returns:
        (68,) bool; landmarks outside the buffer are not hidden.
    """
    unit = max(extent / _OVERLAY_SIDE, 1 / 3)
    # The farthest surface around a landmark counts: beside an outline the nearest pixel may show what is in front.
    side = 2 * round(unit) + 1
    farthest = cv2.erode(depth, np.ones((side, side), np.uint8))
    columns, rows = np.rint(landmarks[:, :2]).astype(int).T
    inside = (columns >= 0) & (columns < depth.shape[1]) & (rows >= 0) & (rows < depth.shape[0])
    hidden = np.zeros(len(landmarks), bool)
    hidden[inside] = farthest[rows[inside], columns[inside]] > landmarks[inside, 2] + _OVERLAY_SLACK * unit
    return hidden


def nearest_surface(positions: Floats, vertices: Floats, triangles: Int32) -> Floats:
    """Find the z of the nearest surface at some image positions, without rasterising the mesh.

    Args:
        positions: (K, L, 2) px, K groups of L positions close to each other.
        vertices: (V, 3) px, larger z nearer to the viewer.
        triangles: (T, 3) int.

    Returns:
        (K, L) float64, -inf where there is none.
    """
    points = np.asarray(vertices, np.float64)
    # Column by column: along rows of three, NumPy takes ten times as long.
    (left, right), (top, bottom) = (_extent(np.ascontiguousarray(points[:, axis])[triangles.T]) for axis in (0, 1))
    boxes = np.column_stack([positions.min(axis=1), positions.max(axis=1)])
    # Sorted by their left ends, the narrow triangles near a position are a short run; the few wide ones are always
    # tested.
    is_wide = right - left > _NARROW
    wide, narrow = np.flatnonzero(is_wide), np.flatnonzero(~is_wide)
    narrow = narrow[np.argsort(left[narrow])]
    begins = left[narrow]
    starts, ends = np.searchsorted(begins, boxes[:, 0] - _NARROW), np.searchsorted(begins, boxes[:, 2], side="right")
    near = []
    for (x0, y0, x1, y1), start, end in zip(boxes, starts, ends, strict=True):
        run = np.concatenate([narrow[start:end], wide])
        near.append(run[(left[run] <= x1) & (right[run] >= x0) & (top[run] <= y1) & (bottom[run] >= y0)])
    counts = np.array([len(found) for found in near], np.intp)
    group = np.repeat(np.arange(len(positions)), counts)  # of each pair of group and triangle
    a, b, c = points[triangles[np.concatenate([np.zeros(0, np.intp), *near])]].transpose(1, 0, 2)[:, :, None]
    u, v, p = b - a, c - a, positions[group] - a[..., :2]
    area = u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):  # triangles seen edge-on hide nothing
        weight_b = (p[..., 0] * v[..., 1] - p[..., 1] * v[..., 0]) / area
        weight_c = (u[..., 0] * p[..., 1] - u[..., 1] * p[..., 0]) / area
    hit = (weight_b >= 0) & (weight_c >= 0) & (weight_b + weight_c <= 1)
    z = a[..., 2] + weight_b * u[..., 2] + weight_c * v[..., 2]
    nearest = np.full(positions.shape[:2], -np.inf)
    some = counts > 0
    if some.any():
        firsts = (np.cumsum(counts) - counts)[some]
        nearest[some] = np.maximum.reduceat(np.where(hit, z, -np.inf), firsts, axis=0)
    return nearest


def _extent(values: Floats) -> tuple[Floats, Floats]:
    """Minimum and maximum of three rows (3, n), each (n,)."""
    first, second, third = values
    return np.minimum(np.minimum(first, second), third), np.maximum(np.maximum(first, second), third)


def _inside(points: Floats, size: tuple[int, int]) -> Bools:
    return np.asarray(((points[:, :2] >= -0.5) & (points[:, :2] <= np.array(size) - 0.5)).all(axis=1))


def _enlarged(points: Floats, vertices: Floats) -> Float32:
    """Move and scale points (K, 3) by the transform that fits the vertices of a head into a square of `_SIDE`."""
    flat = np.ascontiguousarray(vertices[:, :2].T)
    low = flat.min(axis=1)
    scale = (_SIDE - 1 - 2 * _MARGIN) / max(float((flat.max(axis=1) - low).max()), 1e-6)
    return np.asarray(np.column_stack([(points[:, :2] - low) * scale + _MARGIN, points[:, 2] * scale]), np.float32)
