"""Z-buffer rasteriser: the visible triangle of each pixel, and barycentric weights within it.

Convention: vertices are already in image space (x right, y down, z towards the viewer, pixels; pixel centres at
integers), so there is no camera here and barycentric coordinates are exact (no perspective division). The larger z
wins; of two equal z, the first triangle.

Fill rule (top-left, as on graphics cards): x and y are first rounded to 1/256 px. A pixel belongs to a triangle if its
centre is inside, or on a left edge or a horizontal top edge: triangles that share an edge leave no hole along it and
never cover a pixel twice. With coordinates up to 16,384 px this is exact: in units of 1/65,536 px², every area is an
integer below 2^53, and the crossing of a row with an edge is either an integer or at least 2^-31 px from one, which is
much more than the rounding error. Beyond that, pixels within rounding of an edge may fall on either side.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ddfa.arrays import Bools, Float32, Float64, Floats, Int32
from ddfa.compiling import compiled
from ddfa.raster import kernels
from ddfa.raster.kernels import fill, snap

BACKGROUND = -1


class Raster(NamedTuple):
    """The visible surface of each pixel; from `rasterize_batch`, every array has a first axis of meshes.

    Attributes:
        triangle: (H, W) int32, index of the visible triangle, -1 where there is none.
        barycentric: (H, W, 3) float32, weights of its three vertices, in [0, 1]; 0 on background.
        depth: (H, W) float32, interpolated z; -inf on background.
    """

    triangle: Int32
    barycentric: Float32
    depth: Float32

    @property
    def mask(self) -> Bools:
        """(H, W) bool, True where a triangle is visible."""
        return np.asarray(self.triangle >= 0)


def rasterize(
    vertices: Float32, triangles: Int32, height: int, width: int, *, cull: bool = False, threads: int = 1
) -> Raster:
    """Rasterise a triangle mesh with a z-buffer.

    Args:
        vertices: (V, 3) float, image space px, larger z nearer to the viewer.  A
            triangle with a vertex that is not finite is skipped.
        triangles: (T, 3) int, vertex indices.
        height: rows of the image.
        width: columns of the image.
        cull: skip back-facing triangles: those clockwise in a y-up space.
        threads: number of threads that share the rows.

    Returns:
        The visible triangle, barycentric weights and depth of every pixel.
    """
    raster = _empty(height, width)
    points = _snapped(vertices)
    corners = np.ascontiguousarray(triangles, np.int32)
    if threads <= 1:
        fill(points, corners, cull, 0, height, *raster)
        return raster
    spans = list(pairwise(_bands(points, height, threads)))
    jobs = [_helpers(threads - 1).submit(fill, points, corners, cull, *span, *raster) for span in spans[1:]]
    fill(points, corners, cull, *spans[0], *raster)
    for job in jobs:
        job.result()
    return raster


def _bands(points: Float32, height: int, count: int) -> list[int]:
    """First rows of bands with about equally many vertices each, and `height`."""
    rows = points[:: max(1, len(points) // 1000), 1]  # a sample is enough
    rows = rows[(rows > 0) & (rows < height)]
    if not len(rows):
        return [0, height]
    middle = np.quantile(rows, np.arange(1, count) / count, method="nearest")
    return [0, *(int(row) for row in middle), height]


@lru_cache(maxsize=1)
def _helpers(count: int) -> ThreadPoolExecutor:
    """Threads besides the caller's, kept alive: starting them takes as long as drawing a small image."""
    return ThreadPoolExecutor(count)


def rasterize_scene(vertices: Float32, triangles: Int32, height: int, width: int, *, cull: bool = False) -> Raster:
    """Rasterise several meshes of one topology into one depth buffer.

    Args:
        vertices: (n, V, 3) float, image space px.
        triangles: (T, 3) int, of each mesh.
        height: rows of the image.
        width: columns of the image.
        cull: see `rasterize`.

    Returns:
        The visible surface; triangle t of mesh k has the index k T + t, as in the arrays of `scene_mesh`.
    """
    return rasterize(*scene_mesh(vertices, triangles), height, width, cull=cull)


def scene_mesh(vertices: Floats, triangles: Int32) -> tuple[Float32, Int32]:
    """Concatenate n meshes (n, V, 3) of one topology (T, 3): (n V, 3) float32 and (n T, 3) int32."""
    count, size = vertices.shape[:2]
    offsets = size * np.arange(count, dtype=np.int32)[:, None, None]
    joined = (np.asarray(triangles, np.int32)[None] + offsets).reshape(-1, 3)
    return np.asarray(vertices, np.float32).reshape(-1, vertices.shape[2]), joined


def rasterize_batch(vertices: Float32, triangles: Int32, height: int, width: int, *, cull: bool = False) -> Raster:
    """Rasterise several meshes of one topology, each into its own image.

    Args:
        vertices: (n, V, 3) float, image space px.
        triangles: (T, 3) int, of each mesh.
        height: rows of an image.
        width: columns of an image.
        cull: see `rasterize`.

    Returns:
        Arrays with a first axis of n.
    """
    count = len(vertices)
    flat, shape = _empty(count * height, width), (count, height, width)
    batch = Raster(flat.triangle.reshape(shape), flat.barycentric.reshape(*shape, 3), flat.depth.reshape(shape))
    for points, *arrays in zip(vertices, *batch, strict=True):
        fill(_snapped(points), np.ascontiguousarray(triangles, np.int32), cull, 0, height, *arrays)
    return batch


def rasterize_reference(vertices: Float32, triangles: Int32, height: int, width: int, *, cull: bool = False) -> Raster:
    """Slow, readable reference implementation of `rasterize`: exact edge functions, same arguments and result."""
    raster = _empty(height, width)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    for index, (a, b, c) in enumerate(_snapped(vertices).astype(float)[np.asarray(triangles)]):
        area = _cross(b - a, c - a)
        if not np.isfinite(area) or area == 0 or (cull and area > 0):
            continue
        to_pixel = columns - a[0], rows - a[1]
        weight_b, weight_c = _cross(to_pixel, c - a) * (1 / area), _cross(b - a, to_pixel) * (1 / area)
        inside = np.ones((height, width), bool)
        for start, end in ((a, b), (b, c), (c, a)) if area > 0 else ((b, a), (c, b), (a, c)):
            # In pixels, y down, the triangle is to the right of its edges.
            side = _cross(end - start, (columns - start[0], rows - start[1]))
            left, top = end[1] < start[1], end[1] == start[1] and end[0] > start[0]
            inside &= (side >= 0) if left or top else (side > 0)
        weights = np.stack([np.maximum(1 - weight_b - weight_c, 0), weight_b, weight_c], axis=-1)
        slope = (b[2] - a[2]) * (c - a)[1::-1] - (c[2] - a[2]) * (b - a)[1::-1]
        depth = a[2] + to_pixel[1] * (-slope[1] / area) + to_pixel[0] * (slope[0] / area)
        visible = inside & (depth.astype(np.float32) > raster.depth)
        raster.triangle[visible] = index
        raster.barycentric[visible] = weights[visible]
        raster.depth[visible] = depth[visible]
    return raster


def interpolate(raster: Raster, triangles: Int32, attributes: Floats, background: float = 0.0) -> Float32:
    """Interpolate per-vertex attributes over the image.

    Args:
        raster: result of `rasterize` for the same triangles.
        triangles: (T, 3) int, vertex indices into ``attributes`` (UV triangles serve as well).
        attributes: (V, C) float, one row per vertex.
        background: value where no triangle is visible.

    Returns:
        (H, W, C) float32.
    """
    values = np.ascontiguousarray(attributes, np.float32)
    image = np.full((*raster.triangle.shape, values.shape[1]), background, np.float32)
    kernels.interpolate(raster.triangle, raster.barycentric, triangles, values, image)
    return image


def vertex_normals(vertices: Float32, triangles: Int32) -> Float32:
    """Area-weighted unit normals, (V, 3) float32.

    They point outwards if triangles are counter-clockwise seen from outside in the (right-handed) space of
    ``vertices``; a vertex of no triangle has a zero normal.

    Args:
        vertices: (V, 3) float, any right-handed space.
        triangles: (T, 3) int.
    """
    normals = np.zeros((len(vertices), 3))
    _add_normals(np.ascontiguousarray(vertices), np.ascontiguousarray(triangles, np.int32), normals)
    _normalise(normals)
    return normals.astype(np.float32)


def vertex_normals_reference(vertices: Float32, triangles: Int32) -> Float32:
    """Slow, readable reference implementation of `vertex_normals`: same arguments, same result up to rounding."""
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
    """Compute Lambertian plus ambient brightness of unit normals.

    Args:
        normals: (..., 3) float, unit, in the space of ``light`` (head space: y up, z out).
        light: direction towards the light; need not be unit.
        ambient: brightness of surfaces that face away from the light, 0..1.

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


def _snapped(vertices: Floats) -> Float32:
    points = np.empty((len(vertices), 3), np.float32)
    snap(np.ascontiguousarray(vertices, np.float32), points)
    return points


def _cross(u: Any, v: Any) -> Any:
    return u[0] * v[1] - u[1] * v[0]


@compiled
def _add_normals(vertices: Floats, triangles: Int32, normals: Float64) -> None:
    for t in range(triangles.shape[0]):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2]
        vx, vy, vz = vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (i, j, k):
            normals[corner, 0] += x
            normals[corner, 1] += y
            normals[corner, 2] += z


@compiled
def _normalise(normals: Float64) -> None:
    for v in range(normals.shape[0]):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        length = max(np.sqrt(x * x + y * y + z * z), 1e-12)
        normals[v, 0], normals[v, 1], normals[v, 2] = x / length, y / length, z / length
