"""Z-buffer rasteriser: which triangle each pixel sees, and where inside it.

Convention: vertices are already in image space (x right, y down, z towards the viewer, pixels; pixel centres at
integers), so there is no camera here and barycentric coordinates are exact (no perspective division). The larger z
wins, and of two equal z the triangle that comes first.

Fill rule: x and y are first rounded to 1/256 px, as on graphics cards. A pixel belongs to a triangle if its centre lies
inside, or on a left edge or a horizontal top edge: triangles that share an edge never leave a hole along it and never
cover a pixel twice. With coordinates up to 16,384 px this is exact: counted in 1/65,536 px², every area is a whole
number below 2^53, and where a row crosses an edge is either a whole number or at least 2^-31 px from one, which is
much more than the rounding error. Beyond, pixels within rounding of an edge may fall to either side.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ddfa.arrays import Bools, Float32, Float64, Floats, Int32
from ddfa.compiling import compiled

BACKGROUND = -1
_SUBPIXELS = 256
# Smaller than any distance between a crossing and the next whole number, larger than the error of a crossing.
_HAIR = 2.0**-34
_FAR = 10**9  # px, farther than any picture is large
# Pixels of a triangle's box up to which testing each of them is quicker than finding where rows begin and end.
_SMALL_BOX = 64


class Raster(NamedTuple):
    """What each pixel sees; of `rasterize_batch`, every array has a first axis of meshes.

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
        """(H, W) bool, True where a triangle is seen."""
        return np.asarray(self.triangle >= 0)


def rasterize(
    vertices: Float32, triangles: Int32, height: int, width: int, *, cull: bool = False, threads: int = 1
) -> Raster:
    """Rasterise a triangle mesh with a z-buffer.

    Args:
        vertices: (V, 3) float, image space px, larger z nearer to the viewer.  A
            triangle with a vertex that is not finite is skipped.
        triangles: (T, 3) int, vertex indices.
        height: rows of the picture.
        width: columns of the picture.
        cull: leave out triangles whose inside the viewer sees: those clockwise in a y-up space.
        threads: how many share the rows.

    Returns:
        The visible triangle, barycentric weights and depth of every pixel.
    """
    raster = _empty(height, width)
    points, cells = _snapped(vertices)
    corners = np.ascontiguousarray(triangles, np.int32)
    if threads <= 1:
        _fill(points, cells, corners, cull, 0, height, *raster)
        return raster
    spans = list(pairwise(_bands(cells, height, threads)))
    jobs = [_helpers(threads - 1).submit(_fill, points, cells, corners, cull, *span, *raster) for span in spans[1:]]
    _fill(points, cells, corners, cull, *spans[0], *raster)
    for job in jobs:
        job.result()
    return raster


def _bands(cells: Int32, height: int, count: int) -> list[int]:
    """Rows at which bands of about as many vertices each begin, and `height`."""
    rows = cells[:: max(1, len(cells) // 1000), 1]  # some tell enough
    rows = rows[(rows > 0) & (rows < height)]
    if not len(rows):
        return [0, height]
    middle = np.quantile(rows, np.arange(1, count) / count, method="nearest")
    return [0, *(int(row) for row in middle), height]


@lru_cache(maxsize=1)
def _helpers(count: int) -> ThreadPoolExecutor:
    """Threads beside the caller's, kept: starting them takes as long as a small picture."""
    return ThreadPoolExecutor(count)


def rasterize_scene(vertices: Float32, triangles: Int32, height: int, width: int, *, cull: bool = False) -> Raster:
    """Rasterise several meshes of one topology into one depth buffer.

    Args:
        vertices: (n, V, 3) float, image space px.
        triangles: (T, 3) int, of each mesh.
        height: rows of the picture.
        width: columns of the picture.
        cull: see `rasterize`.

    Returns:
        What every pixel sees; triangle t of mesh k has the index k T + t, as in the arrays of `scene_mesh`.
    """
    return rasterize(*scene_mesh(vertices, triangles), height, width, cull=cull)


def scene_mesh(vertices: Floats, triangles: Int32) -> tuple[Float32, Int32]:
    """Join n meshes (n, V, 3) of one topology (T, 3) to one: (n V, 3) float32 and (n T, 3) int32."""
    count, size = vertices.shape[:2]
    offsets = size * np.arange(count, dtype=np.int32)[:, None, None]
    joined = (np.asarray(triangles, np.int32)[None] + offsets).reshape(-1, 3)
    return np.asarray(vertices, np.float32).reshape(-1, vertices.shape[2]), joined


def rasterize_batch(vertices: Float32, triangles: Int32, height: int, width: int, *, cull: bool = False) -> Raster:
    """Rasterise several meshes of one topology, each into a picture of its own.

    Args:
        vertices: (n, V, 3) float, image space px.
        triangles: (T, 3) int, of each mesh.
        height: rows of a picture.
        width: columns of a picture.
        cull: see `rasterize`.

    Returns:
        Arrays with a first axis of n.
    """
    count = len(vertices)
    flat, shape = _empty(count * height, width), (count, height, width)
    batch = Raster(flat.triangle.reshape(shape), flat.barycentric.reshape(*shape, 3), flat.depth.reshape(shape))
    for points, *arrays in zip(vertices, *batch, strict=True):
        _fill(*_snapped(points), np.ascontiguousarray(triangles, np.int32), cull, 0, height, *arrays)
    return batch


def rasterize_reference(vertices: Float32, triangles: Int32, height: int, width: int, *, cull: bool = False) -> Raster:
    """The slow, readable twin of `rasterize`: same arguments, same answer, by the signs of exact edge functions."""
    raster = _empty(height, width)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    for index, (a, b, c) in enumerate(_snapped(vertices)[0][np.asarray(triangles)]):
        area = _cross(b - a, c - a)
        if not np.isfinite(area) or area == 0 or (cull and area > 0):
            continue
        to_pixel = columns - a[0], rows - a[1]
        weight_b, weight_c = _cross(to_pixel, c - a) * (1 / area), _cross(b - a, to_pixel) * (1 / area)
        inside = np.ones((height, width), bool)
        for start, end in ((a, b), (b, c), (c, a)) if area > 0 else ((b, a), (c, b), (a, c)):
            # In pixels, y down, the triangle lies to the right of its edges.
            side = _cross(end - start, (columns - start[0], rows - start[1]))
            left, top = end[1] < start[1], end[1] == start[1] and end[0] > start[0]
            inside &= (side >= 0) if left or top else (side > 0)
        weights = np.stack([np.maximum(1 - weight_b - weight_c, 0), weight_b, weight_c], axis=-1)
        slope = (b[2] - a[2]) * (c - a)[1::-1] - (c[2] - a[2]) * (b - a)[1::-1]
        depth = a[2] + to_pixel[1] * (-slope[1] / area) + to_pixel[0] * (slope[0] / area)
        seen = inside & (depth.astype(np.float32) > raster.depth)
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
    normals = np.zeros((len(vertices), 3))
    _add_normals(np.ascontiguousarray(vertices), np.ascontiguousarray(triangles, np.int32), normals)
    _normalise(normals)
    return normals.astype(np.float32)


def vertex_normals_reference(vertices: Float32, triangles: Int32) -> Float32:
    """The slow, readable twin of `vertex_normals`: same arguments, same answer up to rounding."""
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


def _snapped(vertices: Floats) -> tuple[Float64, Int32]:
    """Round x and y to sub-pixels.

    Returns:
        (V, 3) float64, a vertex that is not finite is NaN as a whole; (V, 2) int32, the first column and row not before
        it, which is all that most boxes need.
    """
    points, cells = np.empty((len(vertices), 3)), np.empty((len(vertices), 2), np.int32)
    _snap(np.ascontiguousarray(vertices, np.float32), points, cells)
    return points, cells


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


@compiled
def _snap(vertices: Float32, points: Float64, cells: Int32) -> None:
    for v in range(len(vertices)):
        x, y, z = np.float64(vertices[v, 0]), np.float64(vertices[v, 1]), np.float64(vertices[v, 2])
        if not np.isfinite(x + y + z):
            x = y = z = np.float64(np.nan)
        x, y = np.rint(x * _SUBPIXELS) / _SUBPIXELS, np.rint(y * _SUBPIXELS) / _SUBPIXELS
        points[v, 0], points[v, 1], points[v, 2] = x, y, z
        if np.isfinite(x):
            cells[v, 0], cells[v, 1] = min(max(np.ceil(x), -_FAR), _FAR), min(max(np.ceil(y), -_FAR), _FAR)
        else:
            cells[v, 0] = cells[v, 1] = -_FAR


@compiled
def _fill_rows(
    ax: float, ay: float, az: float, bx: float, by: float, bz: float, cx: float, cy: float, cz: float, area: float,
    row: int, stop: int, column: int, end: int, t: int, index: Int32, barycentric: Float32, depth: Float32,
) -> None:  # fmt: skip
    """Find where each row of a triangle begins and ends."""
    ux, uy, vx, vy = bx - ax, by - ay, cx - ax, cy - ay
    inverse, bz, cz = 1 / area, bz - az, cz - az
    zx, zy = (bz * vy - cz * uy) / area, (cz * ux - bz * vx) / area
    # From top to bottom, so that both triangles of an edge compute the same crossing with a row.
    x0, y0, x1, y1, x2, y2 = ax, ay, bx, by, cx, cy
    if y1 < y0:
        x0, y0, x1, y1 = x1, y1, x0, y0
    if y2 < y0:
        x0, y0, x2, y2 = x2, y2, x0, y0
    if y2 < y1:
        x1, y1, x2, y2 = x2, y2, x1, y1
    long_slope = (x2 - x0) / (y2 - y0)
    upper_slope = (x1 - x0) / (y1 - y0) if y1 > y0 else 0.0
    lower_slope = (x2 - x1) / (y2 - y1) if y2 > y1 else 0.0
    bends_right = (x1 - x0) * (y2 - y0) > (y1 - y0) * (x2 - x0)
    for y in range(row, stop):
        left = x0 + (y - y0) * long_slope
        right = x0 + (y - y0) * upper_slope if y < y1 else x1 + (y - y1) * lower_slope
        if not bends_right:
            left, right = right, left
        dy = y - ay
        z_row = az + dy * zy
        for x in range(max(int(np.ceil(left - _HAIR)), column), min(int(np.ceil(right - _HAIR)), end)):
            dx = x - ax
            z = np.float32(z_row + dx * zx)
            if z > depth[y, x]:
                depth[y, x], index[y, x] = z, t
                weight_b, weight_c = (dx * vy - dy * vx) * inverse, (ux * dy - uy * dx) * inverse
                barycentric[y, x, 0] = max(1.0 - weight_b - weight_c, 0.0)
                barycentric[y, x, 1] = weight_b
                barycentric[y, x, 2] = weight_c


@compiled
def _fill(
    points: Float64,
    cells: Int32,
    triangles: Int32,
    cull: bool,
    first_row: int,
    stop_row: int,
    index: Int32,
    barycentric: Float32,
    depth: Float32,
) -> None:
    width = index.shape[1]
    for t in range(triangles.shape[0]):
        # Unsigned, here and below: numba need not ask each index whether it counts from the end.
        i, j, k = np.uint32(triangles[t, 0]), np.uint32(triangles[t, 1]), np.uint32(triangles[t, 2])
        row = max(min(cells[i, 1], cells[j, 1], cells[k, 1]), first_row)
        stop = min(max(cells[i, 1], cells[j, 1], cells[k, 1]), stop_row)
        if row >= stop:
            continue
        column = max(min(cells[i, 0], cells[j, 0], cells[k, 0]), 0)
        end = min(max(cells[i, 0], cells[j, 0], cells[k, 0]), width)
        if column >= end:
            continue
        ax, ay, bx, by, cx, cy = points[i, 0], points[i, 1], points[j, 0], points[j, 1], points[k, 0], points[k, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if not (area < 0 or (area > 0 and not cull)):  # not a number: a corner is not finite
            continue
        if (stop - row) * (end - column) > _SMALL_BOX:
            _fill_rows(
                ax, ay, points[i, 2], bx, by, points[j, 2], cx, cy, points[k, 2], area, row, stop, column, end, t,
                index, barycentric, depth,
            )  # fmt: skip
            continue
        # Every pixel of a small box is tested by its edge functions, each positive on the triangle's side.
        sign = 1.0 if area > 0 else -1.0
        b_right, b_down = sign * (cy - ay), sign * (ax - cx)
        c_right, c_down = sign * (ay - by), sign * (bx - ax)
        a_right, a_down = -b_right - c_right, -b_down - c_down
        dx, dy = column - ax, row - ay
        row_b, row_c = dx * b_right + dy * b_down, dx * c_right + dy * c_down
        row_a = sign * area - row_b - row_c
        # On left and top edges 0 is inside; else any value above 0 is at least 2^-16.
        least_a = -_HAIR if a_right > 0 or (a_right == 0 and a_down > 0) else 0.0
        least_b = -_HAIR if b_right > 0 or (b_right == 0 and b_down > 0) else 0.0
        least_c = -_HAIR if c_right > 0 or (c_right == 0 and c_down > 0) else 0.0
        az, inverse = points[i, 2], 0.0
        bz, cz = points[j, 2] - az, points[k, 2] - az
        for y in range(np.uint64(row), np.uint64(stop)):
            on_a, on_b, on_c = row_a, row_b, row_c
            for x in range(np.uint64(column), np.uint64(end)):
                if (on_a > least_a) & (on_b > least_b) & (on_c > least_c):
                    if inverse == 0.0:  # many small triangles cover no pixel's centre, and need no division
                        inverse = 1 / (sign * area)
                    weight_b, weight_c = on_b * inverse, on_c * inverse
                    z = np.float32(az + weight_b * bz + weight_c * cz)
                    if z > depth[y, x]:
                        depth[y, x], index[y, x] = z, t
                        barycentric[y, x, 0] = on_a * inverse
                        barycentric[y, x, 1] = weight_b
                        barycentric[y, x, 2] = weight_c
                on_a, on_b, on_c = on_a + a_right, on_b + b_right, on_c + c_right
            row_a, row_b, row_c = row_a + a_down, row_b + b_down, row_c + c_down


@compiled
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
