"""Face profiling: rotate a photographed face out of plane and render it.

As in "Face Alignment in Full Pose Range" (Zhu et al., 2017, section 5), the fitted head provides depth, and a coarse
mesh around it carries the background. Both are rotated and rendered with the photo as their texture, and the label is
transformed exactly.
"""

import cv2
import numpy as np

from ddfa.arrays import Float32, Float64, Floats, Int32, UInt8
from ddfa.geometry.camera import FLIP_Y_MATRIX, project
from ddfa.head.model import HeadModel
from ddfa.raster.blending import fill_holes
from ddfa.raster.rasterize import Raster, interpolate, rasterize

# Spacing of background anchors in px, for a face of about a hundred px.
_GRID_STEP = 3
# Slope with which hair and background recede behind the silhouette (depth per px), and limit (in face sizes).
_FALL_SLOPE = 1.2
_FALL_LIMIT = 0.7
# A rotation with a smaller sine keeps all surroundings. Larger rotations keep what is within `_SURROUNDINGS` face sizes
# of the face, and not on the side that turns away (`_FAR_SIDE` is a cosine).
_SLIGHT_SINE = 0.45
_SURROUNDINGS = 0.4
_FAR_SIDE = 0.3
# A larger step in depth, px, is an edge.
_EDGE_DEPTH = 6.0
# Darker pixels at the border are a black frame.
_FRAME_LEVEL = 12
_EXTENSION_BLUR = 3.0
_TEXTURED = ("skin", "eye_left", "eye_right", "teeth", "tongue", "mouth_inner")


def rotate_face(
    photo: UInt8,
    vertices: Floats,
    triangles: Int32,
    transform: Floats,
    backdrop: UInt8 | None = None,
) -> UInt8:
    """Rotate the face of a photo, and its surroundings, and render the result.

    Args:
        photo: (H, W, 3) uint8.
        vertices: (V, 3), the fitted mesh in image space (x right, y down, z towards the viewer, px).
        triangles: (T, 3) int32.
        transform: (3, 4), affine map of image space that moves the head to its new pose: a rotation about some point of
            the head, with any scale and translation. The same map applies to the label.
        backdrop: (H, W, 3) uint8, shown where no anchor is visible after the rotation; by default the background of the
            photo itself, not rotated, with the head removed.

    Returns:
        (H, W, 3) uint8, the image after the rotation, without empty pixels.
    """
    height, width = photo.shape[:2]
    margin = max(height, width) // 3
    padded = _extended(photo, margin, margin, margin, margin)
    shift = np.array([margin, margin, 0], np.float32)
    shifted = np.asarray(vertices, np.float32) + shift
    triangles = facing(shifted, triangles)
    anchors, away, anchor_triangles = background_anchors(shifted, triangles, padded.shape[:2])

    sources = np.concatenate([shifted, anchors])
    targets = (project(sources - shift, transform)).astype(np.float32)
    kept = _kept(away, anchor_triangles, transform, float(np.ptp(vertices[:, 1])))
    mesh = np.concatenate([triangles, kept + len(shifted)]).astype(np.int32)
    raster = rasterize(targets, mesh, height, width)
    lookup = interpolate(raster, mesh, sources[:, :2], background=-1.0)
    picture = cv2.remap(padded, lookup[..., 0], lookup[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if backdrop is None:
        backdrop = remove_face(photo, vertices, triangles)
    return _smooth_edges(np.where(raster.mask[..., None], np.asarray(picture, np.uint8), backdrop), raster)


def _kept(away: Float32, triangles: Int32, transform: Floats, size: float) -> Int32:
    """Select the triangles of the surroundings that look plausible after the rotation.

    On the side that turns away they would be compressed to stripes beside the face, and what is far from the face is
    not part of the head: there the backdrop is better.

    Args:
        away: (A, 2) px, from the nearest point of the face to each anchor.
        triangles: (B, 3) int32 among the anchors.
        transform: (3, 4).
        size: of the face in px.
    """
    # Horizontal displacement per depth. Pitch is not limited: neck and hair belong below and above a face.
    sideways = transform[0, 2] / np.cbrt(np.linalg.det(transform[:, :3]))
    if abs(sideways) < _SLIGHT_SINE:
        return triangles
    distance = np.linalg.norm(away, axis=1)
    unfit = (away[:, 0] * np.sign(sideways) > _FAR_SIDE * distance) | (distance > _SURROUNDINGS * size)
    return np.asarray(triangles[~unfit[triangles].any(axis=1)], np.int32)


def _smooth_edges(picture: UInt8, raster: Raster) -> UInt8:
    """Blur pixels at depth discontinuities, which the rasteriser leaves aliased."""
    depth = np.where(raster.mask, raster.depth, -1e3).astype(np.float32)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    jump = cv2.morphologyEx(depth, cv2.MORPH_GRADIENT, cross) > _EDGE_DEPTH
    return np.where(jump[..., None], cv2.GaussianBlur(picture, (3, 3), 0), picture)


def textured_triangles(head: HeadModel) -> Int32:
    """Select the triangles (T, 3) that carry texture: skin, eyes and mouth of the open head, all of other heads."""
    drawn = [head.regions[name] for name in _TEXTURED if name in head.regions]
    if not drawn:
        return head.triangles
    return np.asarray(head.triangles[np.any(drawn, axis=0)[head.triangles].all(axis=1)], np.int32)


def facing(vertices: Floats, triangles: Int32) -> Int32:
    """Select the front-facing triangles (F, 3) of a mesh (V, 3) in image space.

    Back faces have no texture in the photo. Counter-clockwise seen from outside is clockwise in pixels, y down.
    """
    x, y = np.ascontiguousarray(vertices[:, 0]), np.ascontiguousarray(vertices[:, 1])
    a, b, c = np.ascontiguousarray(triangles.T)
    area = (x[b] - x[a]) * (y[c] - y[a]) - (y[b] - y[a]) * (x[c] - x[a])
    return np.asarray(triangles[area < 0], np.int32)


def remove_face(photo: UInt8, vertices: Floats, triangles: Int32) -> UInt8:
    """Remove the head from a photo: its area is filled from the surroundings.

    Args:
        photo: (H, W, 3) uint8.
        vertices: (V, 3) image space px.
        triangles: (T, 3) int32.

    Returns:
        (H, W, 3) uint8.
    """
    height, width = photo.shape[:2]
    face = rasterize(np.asarray(vertices, np.float32), triangles, height, width).mask
    # With a margin for ears, hair and the uncertainty of the fit.
    reach = int(0.3 * np.ptp(vertices[:, 1])) | 1
    head = cv2.dilate(face.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    return fill_holes(photo, ~head)


def background_anchors(vertices: Floats, triangles: Int32, shape: tuple[int, int]) -> tuple[Float32, Float32, Int32]:
    """Make a coarse grid around a face with estimated depth, which recedes from the silhouette outwards.

    Args:
        vertices: (V, 3) image space px.
        triangles: (T, 3) int32.
        shape: height and width of the image that the grid covers.

    Returns:
        (A, 3) float32 anchors in image space, (A, 2) float32 offset of each from the nearest point of the face, and
        (B, 3) int32 triangles of anchors.
    """
    raster = rasterize(np.asarray(vertices, np.float32), triangles, *shape)
    face = raster.mask
    distance, nearest = cv2.distanceTransformWithLabels(
        (~face).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    depth_of_label = np.zeros(nearest.max() + 1, np.float32)
    depth_of_label[nearest[face]] = raster.depth[face]
    pixel_of_label = np.zeros((nearest.max() + 1, 2), np.float32)
    pixel_of_label[nearest[face]] = np.argwhere(face)[:, ::-1]
    size = float(np.ptp(vertices[:, 1]))
    limit = _FALL_LIMIT * size
    fall = limit * (1.0 - np.exp(-_FALL_SLOPE * distance / limit))
    depth = depth_of_label[nearest] - np.where(face, 0, fall)
    # The nearest point of the silhouette jumps between pixels; depth is smoothed except next to the face, where the
    # meshes must meet.
    depth = np.where(distance > _GRID_STEP, cv2.GaussianBlur(depth, (0, 0), _GRID_STEP), depth)
    # Under the face, anchors follow its rim, so that no gap opens, and sink further inside: they are only visible where
    # the face moves away.
    inset = cv2.distanceTransform(face.astype(np.uint8), cv2.DIST_L2, 5)
    sink = 0.01 * size + 2.0 * np.maximum(inset - 2 * _GRID_STEP, 0)
    depth = np.where(face, depth - np.minimum(sink, limit), depth).astype(np.float32)

    rows = np.arange(0, shape[0], _GRID_STEP)
    columns = np.arange(0, shape[1], _GRID_STEP)
    x, y = np.meshgrid(columns, rows)
    anchors = np.stack([x, y, depth[y, x]], axis=-1).reshape(-1, 3).astype(np.float32)
    away = anchors[:, :2] - pixel_of_label[nearest[y, x].ravel()]
    return anchors, away, _grid_triangles(len(rows), len(columns))


def content(photo: UInt8) -> tuple[slice, slice]:
    """Find the rows and columns of a photo (H, W, 3) uint8 inside the black bars around it, if any."""
    bright = photo.max(axis=2) >= _FRAME_LEVEL
    # Single bright pixels are noise; the blurred edge of the bars is cut off as well.
    inside = [np.flatnonzero(bright.mean(axis=axis) > 0.05) for axis in (1, 0)]
    if not all(len(lines) > 4 for lines in inside):
        return slice(0, bright.shape[0]), slice(0, bright.shape[1])
    rows, columns = (
        slice(int(lines[0]) + 2 * (lines[0] > 0), int(lines[-1]) + 1 - 2 * (lines[-1] < side - 1))
        for lines, side in zip(inside, bright.shape, strict=True)
    )
    return rows, columns


def fill_frame(photo: UInt8) -> UInt8:
    """Extend the colours of a photo over the black bars around it, if any.

    A crop that reaches beyond its photo has them; on a rotated head they would look like a black hat.

    Args:
        photo: (H, W, 3) uint8.

    Returns:
        (H, W, 3) uint8.
    """
    rows, columns = content(photo)
    inside = photo[rows, columns]
    if inside.shape == photo.shape:
        return photo
    height, width = photo.shape[:2]
    return _extended(inside, rows.start, height - rows.stop, columns.start, width - columns.stop)


def _extended(photo: UInt8, top: int, bottom: int, left: int, right: int) -> UInt8:
    """Extend a photo by so many pixels, by repeating and blurring its border."""
    extended = cv2.copyMakeBorder(photo, top, bottom, left, right, cv2.BORDER_REPLICATE)
    result = np.asarray(cv2.GaussianBlur(extended, (0, 0), _EXTENSION_BLUR), np.uint8)
    result[top : len(result) - bottom, left : result.shape[1] - right] = photo
    return result


def corner(photo: UInt8, rng: np.random.Generator) -> UInt8:
    """Crop an upper corner of a photo and enlarge it to full size: a blurred background for another face.

    Args:
        photo: (H, W, 3) uint8, with a head in its middle.
        rng: source of randomness.

    Returns:
        (H, W, 3) uint8.
    """
    height, width = photo.shape[:2]
    rows, columns = int(height * rng.uniform(0.25, 0.45)), int(width * rng.uniform(0.25, 0.45))
    cut = photo[:rows, :columns] if rng.random() < 0.5 else photo[:rows, width - columns :]
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    return np.asarray(cv2.resize(np.ascontiguousarray(cut), (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def turn(rotation: Floats, centre: Floats, scale: float = 1.0) -> Float64:
    """Compute the affine map (3, 4) of image space that rotates about `centre` (3,) and scales.

    Args:
        rotation: (3, 3), in camera axes with y up (the axes of `Faces.rotation`).
        centre: (3,) image space px, the fixed point.
        scale: magnification about the centre.
    """
    linear = scale * (FLIP_Y_MATRIX @ rotation @ FLIP_Y_MATRIX)
    return np.column_stack([linear, np.asarray(centre) - linear @ np.asarray(centre)])


def _grid_triangles(rows: int, columns: int) -> Int32:
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    a, b = index[:-1, :-1].ravel(), index[:-1, 1:].ravel()
    c, d = index[1:, :-1].ravel(), index[1:, 1:].ravel()
    return np.concatenate([np.stack([a, c, b], 1), np.stack([b, c, d], 1)])
