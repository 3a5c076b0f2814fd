"""Kernels of the rasteriser: which triangles cover which pixels, and which of them is nearest.

A face in a photo has more triangles than pixels, and a mispredicted branch costs more than the arithmetic. Small
triangles are therefore processed in chunks, one step for the whole chunk at a time, and the steps that processors can
vectorise contain no branches:

    gather   copy the corners of the triangles into contiguous rows
    set_up   bounding box, edge functions, fill rule
    spread   one block of 2 x 2 pixels for each triangle; more for those with larger boxes
    measure  the four pixels of every block: inside or not, weights, depth
    collect  compact the pixels inside
    merge    update the z-buffer

Triangles with larger boxes are filled row by row.

The values of a chunk are rows of one array at constant offsets: otherwise the compiler must assume that the rows alias,
and does not vectorise. Single precision is exact here: in boxes of `_SIDE` px, edge functions are multiples of
2^-16 px² below 2^7 px².
"""

import numpy as np

from ddfa.arrays import Float32, Int32
from ddfa.compiling import compiled

SUBPIXELS = 256
# Smaller than any distance between a crossing and the next integer, larger than the rounding error of a crossing.
_HAIR = 2.0**-34

_CHUNK = 128  # triangles
_SIDE = 8  # px, of boxes that go in blocks
# Maximum number of blocks of a chunk. The offset of 16 keeps equal columns of two rows out of the same cache set.
_CAPACITY = _CHUNK * (_SIDE // 2) ** 2 + 16
# Unsigned: Numba then emits no test for negative indices.
_U = np.uint64
# Number of rows.
_ROWS = 35
# fmt: off
(
    _AX, _AY, _AZ, _BX, _BY, _BZ, _CX, _CY, _CZ,  # corners
    _TOP, _LEFT, _BOTTOM, _RIGHT,  # box, or block and its limits; empty where there is nothing to draw
    _B_RIGHT, _B_DOWN, _C_RIGHT, _C_DOWN,  # increments of the edge functions of b and c per pixel
    _ON_B, _ON_C, _AREA,  # the edge functions at the first pixel, and the sum of all three
    _LEAST_A, _LEAST_B, _LEAST_C,  # thresholds that the edge functions of inside pixels exceed
    _Z, _, _, _, _WEIGHT_B, _, _, _, _WEIGHT_C, _, _, _,  # of each of the four pixels of a block
) = (_U(row * _CAPACITY) for row in range(_ROWS))
# fmt: on
_SECOND, _THIRD, _FOURTH = _U(_CAPACITY), _U(2 * _CAPACITY), _U(3 * _CAPACITY)
_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)


@compiled
def snap(vertices: Float32, points: Float32) -> None:
    """Round x and y of (V, 3) to sub-pixels; all coordinates of a vertex that is not finite become NaN."""
    for v in range(_U(len(vertices))):
        x, y, z = np.float64(vertices[v, 0]), np.float64(vertices[v, 1]), np.float64(vertices[v, 2])
        if not np.isfinite(x + y + z):
            x = y = z = np.float64(np.nan)
        points[v, 0], points[v, 1] = np.rint(x * SUBPIXELS) / SUBPIXELS, np.rint(y * SUBPIXELS) / SUBPIXELS
        points[v, 2] = z


@compiled
def fill(
    points: Float32,
    triangles: Int32,
    cull: bool,
    first_row: int,
    stop_row: int,
    index: Int32,
    barycentric: Float32,
    depth: Float32,
) -> None:
    """Draw rows ``first_row`` to ``stop_row - 1`` of what `rasterize` returns, from (V, 3) ``points`` of `snap`."""
    width = index.shape[1]
    rows, source = np.empty(_ROWS * _CAPACITY, np.float32), np.empty(_CAPACITY, np.int32)
    inside, chosen = np.empty(4 * _CAPACITY, np.int32), np.empty(4 * _CAPACITY + 1, np.uint64)
    for begin in range(0, len(triangles), _CHUNK):
        count = min(_CHUNK, len(triangles) - begin)
        _gather(points, triangles, begin, count, rows)
        _set_up(rows, count, cull, np.float32(first_row), np.float32(stop_row), np.float32(width), inside)
        _fill_large(rows, count, cull, first_row, stop_row, begin, inside, chosen, index, barycentric, depth)
        blocks = _spread(rows, count, source, chosen)
        _measure(rows, blocks, inside)
        _merge(rows, source, chosen, _collect(inside, blocks, chosen), begin, index, barycentric, depth)


@compiled
def _gather(points: Float32, triangles: Int32, begin: int, count: int, rows: Float32) -> None:
    for k in range(_U(count)):
        t = _U(begin) + k
        a, b, c = np.uint32(triangles[t, 0]), np.uint32(triangles[t, 1]), np.uint32(triangles[t, 2])
        rows[k + _AX], rows[k + _AY], rows[k + _AZ] = points[a, 0], points[a, 1], points[a, 2]
        rows[k + _BX], rows[k + _BY], rows[k + _BZ] = points[b, 0], points[b, 1], points[b, 2]
        rows[k + _CX], rows[k + _CY], rows[k + _CZ] = points[c, 0], points[c, 1], points[c, 2]


@compiled
def _set_up(
    rows: Float32, count: int, cull: bool, first_row: float, stop_row: float, width: float, large: Int32
) -> None:
    for k in range(_U(count)):
        ax, bx, cx = rows[k + _AX], rows[k + _BX], rows[k + _CX]
        ay, by, cy = rows[k + _AY], rows[k + _BY], rows[k + _CY]
        top, bottom = np.ceil(min(ay, by, cy)), np.ceil(max(ay, by, cy))
        left, right = np.ceil(min(ax, bx, cx)), np.ceil(max(ax, bx, cx))
        side = max(right - left, bottom - top)
        top, bottom, left, right = max(top, first_row), min(bottom, stop_row), max(left, _ZERO), min(right, width)
        # Relative to the first pixel, so that values are small and exact in single precision.
        ax, ay, bx, by, cx, cy = ax - left, ay - top, bx - left, by - top, cx - left, cy - top
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        sign = _ONE if area > _ZERO else -_ONE
        # Signs are chosen so that each edge function is positive inside the triangle, whatever its winding.
        b_right, b_down, c_right, c_down = sign * (cy - ay), sign * (ax - cx), sign * (ay - by), sign * (bx - ax)
        a_right, a_down = -b_right - c_right, -b_down - c_down
        rows[k + _B_RIGHT], rows[k + _B_DOWN], rows[k + _C_RIGHT], rows[k + _C_DOWN] = b_right, b_down, c_right, c_down
        rows[k + _ON_B], rows[k + _ON_C] = -ax * b_right - ay * b_down, -ax * c_right - ay * c_down
        rows[k + _AREA] = sign * area
        # On left and top edges, 0 counts as inside; all other inside values are at least 2^-16.
        rows[k + _LEAST_A] = -_HAIR if (a_right > _ZERO) | ((a_right == _ZERO) & (a_down > _ZERO)) else _ZERO
        rows[k + _LEAST_B] = -_HAIR if (b_right > _ZERO) | ((b_right == _ZERO) & (b_down > _ZERO)) else _ZERO
        rows[k + _LEAST_C] = -_HAIR if (c_right > _ZERO) | ((c_right == _ZERO) & (c_down > _ZERO)) else _ZERO
        some = (top < bottom) & (left < right)
        small = some & (side <= _SIDE) & ((area < _ZERO) | ((area > _ZERO) & (not cull)))
        large[k] = np.int32(some & (side > _SIDE))
        rows[k + _TOP], rows[k + _LEFT], rows[k + _RIGHT] = top, left, right
        rows[k + _BOTTOM] = bottom if small else top


@compiled
def _fill_large(
    rows: Float32, count: int, cull: bool, first_row: int, stop_row: int, begin: int, large: Int32, chosen: Int32,
    index: Int32, barycentric: Float32, depth: Float32,
) -> None:  # fmt: skip
    number = _U(0)
    for k in range(_U(count)):
        chosen[number] = k
        number += _U(large[k])
    for place in range(number):
        k = chosen[place]
        ax, ay, az = np.float64(rows[k + _AX]), np.float64(rows[k + _AY]), np.float64(rows[k + _AZ])
        bx, by, bz = np.float64(rows[k + _BX]), np.float64(rows[k + _BY]), np.float64(rows[k + _BZ])
        cx, cy, cz = np.float64(rows[k + _CX]), np.float64(rows[k + _CY]), np.float64(rows[k + _CZ])
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if not (area < 0 or (area > 0 and not cull)):  # also skips NaN: a corner is not finite
            continue
        top, left, right = int(rows[k + _TOP]), int(rows[k + _LEFT]), int(rows[k + _RIGHT])
        bottom = int(min(np.ceil(max(ay, by, cy)), np.float64(stop_row)))
        _fill_rows(
            ax, ay, az, bx, by, bz, cx, cy, cz, area, top, bottom, left, right, begin + np.int64(k),
            index, barycentric, depth,
        )  # fmt: skip


@compiled
def _fill_rows(
    ax: float, ay: float, az: float, bx: float, by: float, bz: float, cx: float, cy: float, cz: float, area: float,
    row: int, stop: int, column: int, end: int, t: int, index: Int32, barycentric: Float32, depth: Float32,
) -> None:  # fmt: skip
    """Fill a triangle row by row, between the crossings of each row with its edges."""
    ux, uy, vx, vy = bx - ax, by - ay, cx - ax, cy - ay
    inverse, bz, cz = 1 / area, bz - az, cz - az
    zx, zy = (bz * vy - cz * uy) / area, (cz * ux - bz * vx) / area
    # Sorted from top to bottom, so that both triangles of an edge compute bitwise the same crossing with a row.
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
    for y in range(_U(row), _U(stop)):
        left = x0 + (y - y0) * long_slope
        right = x0 + (y - y0) * upper_slope if y < y1 else x1 + (y - y1) * lower_slope
        if not bends_right:
            left, right = right, left
        dy = y - ay
        z_row = az + dy * zy
        # Clipped to the image before conversion to integers, whose range is smaller.
        for x in range(_U(max(np.ceil(left - _HAIR), column)), _U(max(min(np.ceil(right - _HAIR), end), 0))):
            dx = x - ax
            z = np.float32(z_row + dx * zx)
            if z > depth[y, x] or (z == depth[y, x] and t < index[y, x]):
                depth[y, x], index[y, x] = z, t
                weight_b, weight_c = (dx * vy - dy * vx) * inverse, (ux * dy - uy * dx) * inverse
                barycentric[y, x, 0] = max(1.0 - weight_b - weight_c, 0.0)
                barycentric[y, x, 1] = weight_b
                barycentric[y, x, 2] = weight_c


@compiled
def _spread(rows: Float32, count: int, source: Int32, chosen: Int32) -> np.uint64:
    """Append further blocks for boxes larger than one block; return the number of blocks."""
    wide = _U(0)
    for k in range(_U(count)):
        source[k] = k
        chosen[wide] = k
        height, width = rows[k + _BOTTOM] - rows[k + _TOP], rows[k + _RIGHT] - rows[k + _LEFT]
        wide += _U((height > _ZERO) & (max(height, width) > _TWO))
    to = _U(count)
    for place in range(wide):
        k = chosen[place]
        height, width = rows[k + _BOTTOM] - rows[k + _TOP], rows[k + _RIGHT] - rows[k + _LEFT]
        b_right, b_down, c_right, c_down = rows[k + _B_RIGHT], rows[k + _B_DOWN], rows[k + _C_RIGHT], rows[k + _C_DOWN]
        y, x = _ZERO, _TWO
        while y < height:
            while x < width:
                source[to] = k
                rows[to + _TOP], rows[to + _BOTTOM] = rows[k + _TOP] + y, rows[k + _BOTTOM]
                rows[to + _LEFT], rows[to + _RIGHT] = rows[k + _LEFT] + x, rows[k + _RIGHT]
                rows[to + _AZ], rows[to + _BZ], rows[to + _CZ] = rows[k + _AZ], rows[k + _BZ], rows[k + _CZ]
                rows[to + _B_RIGHT], rows[to + _B_DOWN] = b_right, b_down
                rows[to + _C_RIGHT], rows[to + _C_DOWN] = c_right, c_down
                rows[to + _ON_B] = rows[k + _ON_B] + x * b_right + y * b_down
                rows[to + _ON_C] = rows[k + _ON_C] + x * c_right + y * c_down
                rows[to + _AREA] = rows[k + _AREA]
                rows[to + _LEAST_A] = rows[k + _LEAST_A]
                rows[to + _LEAST_B], rows[to + _LEAST_C] = rows[k + _LEAST_B], rows[k + _LEAST_C]
                to += _U(1)
                x += _TWO
            x = _ZERO
            y += _TWO
    return to


@compiled
def _measure(rows: Float32, blocks: int, inside: Int32) -> None:
    for k in range(_U(blocks)):
        on_b, on_c, area = rows[k + _ON_B], rows[k + _ON_C], rows[k + _AREA]
        b_right, b_down, c_right, c_down = rows[k + _B_RIGHT], rows[k + _B_DOWN], rows[k + _C_RIGHT], rows[k + _C_DOWN]
        least = rows[k + _LEAST_A], rows[k + _LEAST_B], rows[k + _LEAST_C]
        inverse, az = 1 / np.float64(area), np.float64(rows[k + _AZ])
        z = az, np.float64(rows[k + _BZ]) - az, np.float64(rows[k + _CZ]) - az
        some = rows[k + _BOTTOM] > rows[k + _TOP]
        wide, high = rows[k + _RIGHT] - rows[k + _LEFT] > _ONE, rows[k + _BOTTOM] - rows[k + _TOP] > _ONE
        _measure_pixel(rows, inside, k, on_b, on_c, some, area, least, inverse, z)
        _measure_pixel(rows, inside, k + _SECOND, on_b + b_right, on_c + c_right, some & wide, area, least, inverse, z)
        _measure_pixel(rows, inside, k + _THIRD, on_b + b_down, on_c + c_down, high, area, least, inverse, z)
        on_b, on_c = on_b + b_down, on_c + c_down
        _measure_pixel(rows, inside, k + _FOURTH, on_b + b_right, on_c + c_right, high & wide, area, least, inverse, z)


@compiled
def _measure_pixel(
    rows: Float32, inside: Int32, place: int, on_b: float, on_c: float, within: bool, area: float,
    least: tuple[float, float, float], inverse: float, z: tuple[float, float, float],
) -> None:  # fmt: skip
    """Test one pixel of a block by its edge functions; `z` holds that of a, and the differences of b and c to it."""
    hit = (area - on_b - on_c > least[0]) & (on_b > least[1]) & (on_c > least[2])
    inside[place] = np.int32(hit & within)
    weight_b, weight_c = on_b * inverse, on_c * inverse
    rows[place + _WEIGHT_B], rows[place + _WEIGHT_C] = weight_b, weight_c
    rows[place + _Z] = z[0] + weight_b * z[1] + weight_c * z[2]


@compiled
def _collect(inside: Int32, blocks: int, chosen: Int32) -> np.uint64:
    """List the inside pixels as block + pixel x `_CAPACITY`.

    Without branches: every pixel is written, and the count grows by 0 or 1.
    """
    number = _U(0)
    for k in range(_U(blocks)):
        chosen[number] = k
        number += _U(inside[k])
        chosen[number] = k + _SECOND
        number += _U(inside[k + _SECOND])
        chosen[number] = k + _THIRD
        number += _U(inside[k + _THIRD])
        chosen[number] = k + _FOURTH
        number += _U(inside[k + _FOURTH])
    return number


@compiled
def _merge(
    rows: Float32, source: Int32, chosen: Int32, number: int, begin: int,
    index: Int32, barycentric: Float32, depth: Float32,
) -> None:  # fmt: skip
    for place in range(_U(number)):
        pixel = chosen[place] // _U(_CAPACITY)
        k = chosen[place] - pixel * _U(_CAPACITY)
        y, x = _U(rows[k + _TOP]) + (pixel >> _U(1)), _U(rows[k + _LEFT]) + (pixel & _U(1))
        z, t = rows[chosen[place] + _Z], begin + source[k]
        if z > depth[y, x] or (z == depth[y, x] and t < index[y, x]):
            weight_b, weight_c = rows[chosen[place] + _WEIGHT_B], rows[chosen[place] + _WEIGHT_C]
            depth[y, x], index[y, x] = z, t
            barycentric[y, x, 0] = max(_ONE - weight_b - weight_c, _ZERO)
            barycentric[y, x, 1] = weight_b
            barycentric[y, x, 2] = weight_c


@compiled
def interpolate(index: Int32, barycentric: Float32, triangles: Int32, values: Float32, image: Float32) -> None:
    """Write the weighted mean of ``values`` at the corners of each pixel's triangle."""
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
