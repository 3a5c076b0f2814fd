"""Z-buffer rasteriser: which triangle each pixel sees, and where inside it.

Convention: vertices are already in image space (x right, y down, z towards the
viewer, pixels; pixel centres at integers), so there is no camera here and
barycentric coordinates are exact (no perspective division).  Both windings are
drawn; the larger z wins, and of two equal z the triangle that comes first.
"""

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np

from ddfa.arrays import Bools, Float32, Floats, Int32

BACKGROUND = -1
# Rounding may put a pixel centre on a shared edge outside both triangles: let them overlap by a hair.
TOLERANCE = -1e-7


class Raster(NamedTuple):
    """What each pixel sees.

    Attributes:
        triangle: (H, W) int32, index of the visible triangle, -1 where there is none.
        barycentric: (H, W, 3) float32, weights of its three vertices; 0 on background.
        depth: (H, W) float32, interpolated z; -inf on background.
    """

    triangle: Int32
    barycentric: Float32
    depth: Float32

    @property
    def mask(self) -> Bools:
        """(H, W) bool, True where a triangle is seen."""
        return np.asarray(self.triangle >= 0)


def rasterize(vertices: Float32, triangles: Int32, height: int, width: int) -> Raster:
    """Rasterise a triangle mesh with a z-buffer.

    Args:
        vertices: (V, 3) float, image space px, larger z nearer to the viewer.  A
            triangle with a vertex that is not finite is skipped.
        triangles: (T, 3) int, vertex indices.
        height: rows of the picture.
        width: columns of the picture.

    Returns:
        The visible triangle, barycentric weights and depth of every pixel.
    """
    raster = _empty(height, width)
    _fill(
        np.ascontiguousarray(vertices, np.float32),
        np.ascontiguousarray(triangles, np.int32),
        raster.triangle,
        raster.barycentric,
        raster.depth,
    )
    return raster


def rasterize_reference(vertices: Float32, triangles: Int32, height: int, width: int) -> Raster:
    """The slow, readable twin of `rasterize`: same arguments, same answer."""
    raster = _empty(height, width)
    points = np.asarray(vertices, np.float32).astype(np.float64)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    for index, (a, b, c) in enumerate(points[np.asarray(triangles)]):
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0 or not np.isfinite([a, b, c]).all():
            continue
        weight_b = (columns - a[0]) * (c[1] - a[1]) - (rows - a[1]) * (c[0] - a[0])
        weight_c = (b[0] - a[0]) * (rows - a[1]) - (b[1] - a[1]) * (columns - a[0])
        weight_b, weight_c = weight_b / area, weight_c / area
        weights = np.stack([1.0 - weight_b - weight_c, weight_b, weight_c], axis=-1)
        depth = weights[..., 0] * a[2] + weights[..., 1] * b[2] + weights[..., 2] * c[2]
        depth = depth.astype(np.float32)
        # The pixel box keeps slivers from leaking past their ends by rounding.
        box = (columns >= min(a[0], b[0], c[0])) & (columns <= max(a[0], b[0], c[0]))
        box &= (rows >= min(a[1], b[1], c[1])) & (rows <= max(a[1], b[1], c[1]))
        seen = box & (weights >= TOLERANCE).all(axis=-1) & (depth > raster.depth)
        raster.triangle[seen] = index
        raster.barycentric[seen] = weights[seen]
        raster.depth[seen] = depth[seen]
    return raster


def interpolate(raster: Raster, triangles: Int32, attributes: Floats, background: float = 0.0) -> Float32:
    """Spread per-vertex attributes over the picture.

    Args:
        raster: result of `rasterize` for the same triangles.
        triangles: (T, 3) int, vertex indices into ``attributes`` (UV triangles serve as well).
        attributes: (V, C) float, one row per vertex.
        background: value where no triangle is seen.

    Returns:
        (H, W, C) float32.
    """
    values = np.ascontiguousarray(attributes, np.float32)
    image = np.full((*raster.triangle.shape, values.shape[1]), background, np.float32)
    _interpolate(raster.triangle, raster.barycentric, triangles, values, image)
    return image


def vertex_normals(vertices: Float32, triangles: Int32) -> Float32:
    """Area-weighted unit normals, (V, 3) float32.

    They point out of a mesh whose triangles are counter-clockwise seen from outside in
    the (right-handed) space of ``vertices``; a vertex of no triangle gets zeros.

    Args:
        vertices: (V, 3) float, any right-handed space.
        triangles: (T, 3) int.
    """
    corners = vertices[triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices, dtype=np.float64)
    for axis in range(3):
        for corner in range(3):
            normals[:, axis] += np.bincount(triangles[:, corner], weights=faces[:, axis], minlength=len(vertices))
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals / np.maximum(length, 1e-12), np.float32)


def shade(
    normals: Float32,
    light: tuple[float, float, float] = (-0.25, 0.35, 0.9),
    ambient: float = 0.35,
) -> Float32:
    """Lambert plus ambient brightness of unit normals.

    Args:
        normals: (..., 3) float, unit, in the space of ``light`` (head space: y up, z out).
        light: direction towards the light; need not be unit.
        ambient: brightness of what faces away from the light, 0..1.

    Returns:
        (...) float32 in [ambient, 1].
    """
    direction = np.asarray(light, np.float32) / np.float32(np.linalg.norm(light))
    return np.asarray(ambient + (1 - ambient) * np.clip(normals @ direction, 0, 1), np.float32)


def _empty(height: int, width: int) -> Raster:
    return Raster(
        np.full((height, width), BACKGROUND, np.int32),
        np.zeros((height, width, 3), np.float32),
        np.full((height, width), -np.inf, np.float32),
    )


def _compiled(kernel: Callable[..., None]) -> Callable[..., None]:
    """Compile a kernel; the result is kept on disk, unless no folder for it can be written (as in some containers)."""
    try:
        return numba.njit(cache=True, nogil=True)(kernel)
    except RuntimeError:
        return numba.njit(nogil=True)(kernel)


@_compiled
def _fill(
    vertices: Float32,
    triangles: Int32,
    index: Int32,
    barycentric: Float32,
    depth: Float32,
) -> None:
    height, width = index.shape
    for t in range(triangles.shape[0]):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        # float64: sub-pixel triangles have areas near the rounding error of float32.
        ax, ay = np.float64(vertices[i, 0]), np.float64(vertices[i, 1])
        bx, by = np.float64(vertices[j, 0]), np.float64(vertices[j, 1])
        cx, cy = np.float64(vertices[k, 0]), np.float64(vertices[k, 1])
        az = np.float64(vertices[i, 2])
        bz = np.float64(vertices[j, 2])
        cz = np.float64(vertices[k, 2])
        left, right = min(ax, bx, cx), max(ax, bx, cx)
        top, bottom = min(ay, by, cy), max(ay, by, cy)
        if not (right >= 0 and left <= width - 1 and bottom >= 0 and top <= height - 1):
            continue
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0 or not np.isfinite(area + az + bz + cz):
            continue
        first_column = max(0, int(np.ceil(left)))
        last_column = min(width - 1, int(np.floor(right)))
        first_row = max(0, int(np.ceil(top)))
        last_row = min(height - 1, int(np.floor(bottom)))
        for y in range(first_row, last_row + 1):
            for x in range(first_column, last_column + 1):
                wb = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                wc = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                wa = 1.0 - wb - wc
                if wa < TOLERANCE or wb < TOLERANCE or wc < TOLERANCE:
                    continue
                z = np.float32(wa * az + wb * bz + wc * cz)
                if z > depth[y, x]:
                    depth[y, x] = z
                    index[y, x] = t
                    barycentric[y, x, 0] = wa
                    barycentric[y, x, 1] = wb
                    barycentric[y, x, 2] = wc


@_compiled
def _interpolate(
    index: Int32,
    barycentric: Float32,
    triangles: Int32,
    values: Float32,
    image: Float32,
) -> None:
    for y in range(index.shape[0]):
        for x in range(index.shape[1]):
            t = index[y, x]
            if t < 0:
                continue
            for channel in range(values.shape[1]):
                image[y, x, channel] = (
                    barycentric[y, x, 0] * values[triangles[t, 0], channel]
                    + barycentric[y, x, 1] * values[triangles[t, 1], channel]
                    + barycentric[y, x, 2] * values[triangles[t, 2], channel]
                )
