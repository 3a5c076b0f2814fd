"""Meshes of accessories in head space: sheets and tubes over grids of points."""

from typing import NamedTuple

import numpy as np

from ddfa.arrays import Float32, Floats, Int32


class Part(NamedTuple):
    """A coloured mesh.

    Attributes:
        vertices: (V, 3) float32.
        triangles: (T, 3) int32, counter-clockwise seen from outside.
        colours: (V, 3) float32 reflectance, RGB in [0, 1].
    """

    vertices: Float32
    triangles: Int32
    colours: Float32


def sheet(points: Floats, colours: Floats, closed: bool = False) -> Part:
    """Span a mesh over a grid of points.

    Args:
        points: (R, C, 3); the outside is the side from which rows run downwards and columns to the right.
        colours: broadcast to (R, C, 3).
        closed: whether the last column joins the first.
    """
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    if closed:
        index = np.column_stack([index, index[:, :1]])
    a, b, c, d = (corner.ravel() for corner in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]))
    triangles = np.concatenate([np.stack([a, c, b], 1), np.stack([b, c, d], 1)])
    spread = np.broadcast_to(colours, points.shape).reshape(-1, 3)
    return Part(points.reshape(-1, 3).astype(np.float32), triangles.astype(np.int32), spread.astype(np.float32))


def tube(line: Floats, radius: float, colour: Floats, closed: bool = False) -> Part:
    """Make a tube along points (K, 3)."""
    ahead, behind = np.roll(line, -1, axis=0), np.roll(line, 1, axis=0)
    if not closed:
        ahead[-1], behind[0] = line[-1], line[0]
    along = ahead - behind
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    first = np.cross(along, [0.31, 0.52, 0.79])
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
    second = np.cross(along, first)
    angle = np.arange(5) * 2 * np.pi / 5
    around = np.cos(angle)[:, None, None] * first + np.sin(angle)[:, None, None] * second
    points = line + radius * around  # (5, K, 3)
    return sheet(np.concatenate([points, points[:1]]) if not closed else _joined(points), colour)


def _joined(points: Floats) -> Floats:
    whole = np.concatenate([points, points[:1]])
    return np.concatenate([whole, whole[:, :1]], axis=1)


def joined(parts: list[Part]) -> Part:
    """Concatenate parts."""
    starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    return Part(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.triangles + start for part, start in zip(parts, starts, strict=True)]).astype(np.int32),
        np.concatenate([part.colours for part in parts]),
    )
