"""Wireframe of a face: mesh lines of constant width, with hidden lines removed."""

from functools import lru_cache
from typing import Final

import numpy as np

from ddfa.arrays import Bools, Float32, Float64, Int32
from ddfa.compiling import compiled
from ddfa.draw.zbuffer import Figure, RasterizedFace
from ddfa.head.model import HeadModel
from ddfa.raster.rasterize import Raster, interpolate

_LINE: Final = np.array([222, 244, 255], np.float32)
_VEIL: Final = np.array([14, 30, 52], np.float32)
_VEIL_OPACITY: Final = 0.34
_WIDTH: Final = 1.0 / 360  # of the face's length
_OPEN_SPACING: Final = 7.0  # px; lines closer together than this fade
_FAINTEST: Final = 0.2


def wireframe(figure: Figure, surface: RasterizedFace) -> tuple[Float32, Float32]:
    """Draw the lines of a mesh on a dark, translucent layer.

    Args:
        figure: the face.
        surface: its visible surface.

    Returns:
        Colour (h, w, 3) float32 in [0, 255] and opacity (h, w) float32 in [0, 1].
    """
    triangles = figure.head.triangles
    width = float(np.clip(_WIDTH * np.ptp(figure.landmarks[:, :2], axis=0).max(), 0.8, 4))
    lines = edge_lines(surface.raster, figure.vertices, triangles, drawn_edges(figure.head), width)
    light = interpolate(surface.raster, triangles, 0.4 + 0.6 * np.clip(figure.normals[:, 2:], 0, 1))
    colour = _VEIL + (_LINE * light - _VEIL) * lines[..., None]
    return colour.astype(np.float32), (_VEIL_OPACITY + (1 - _VEIL_OPACITY) * lines).astype(np.float32)


def edge_lines(raster: Raster, vertices: Float32, triangles: Int32, drawn: Bools, width: float) -> Float32:
    """Draw the visible edges of a mesh.

    Lines fade where they are too close together, as around the eyes or on a small face.

    Args:
        raster: of the mesh.
        vertices: (V, 3) px.
        triangles: (T, 3) vertex indices.
        drawn: (T, 3) bool, whether the edge opposite to each corner is drawn.
        width: of the lines, px.

    Returns:
        (h, w) float32, strength of the lines in [0, 1].
    """
    lines = np.zeros(raster.triangle.shape, np.float32)
    points = np.ascontiguousarray(vertices[:, :2], np.float64)
    _edge_lines(raster.triangle, raster.barycentric, points, triangles, drawn, width, lines)
    return lines


def edge_lines_reference(raster: Raster, vertices: Float32, triangles: Int32, drawn: Bools, width: float) -> Float32:
    """Slow, readable reference implementation of `edge_lines`: same arguments, same result up to rounding."""
    seen = raster.triangle[raster.mask]
    corners = vertices[triangles, :2].astype(np.float64)[seen]
    sides = np.roll(corners, -1, axis=1) - np.roll(corners, 1, axis=1)  # the side opposite to each corner
    area = np.abs(sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0])
    heights = area[:, None] / np.maximum(np.linalg.norm(sides, axis=2), 1e-6)
    # The barycentric weight of a corner is the distance to the opposite edge over the height of the triangle.
    distance = np.where(drawn[seen], heights * raster.barycentric[raster.mask], np.inf).min(axis=1)
    strength = np.clip(2 * np.sqrt(area) / (_OPEN_SPACING * width), _FAINTEST, 1)
    lines = np.zeros(raster.mask.shape, np.float32)
    lines[raster.mask] = strength * np.clip(0.5 * width + 0.5 - distance, 0, 1)
    return lines


@compiled
def _edge_lines(
    index: Int32, barycentric: Float32, points: Float64, triangles: Int32, drawn: Bools, width: float, lines: Float32
) -> None:
    for y in range(index.shape[0]):
        for x in range(index.shape[1]):
            t = index[y, x]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            ux, uy = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1]
            vx, vy = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1]
            area, distance = abs(ux * vy - uy * vx), np.inf
            if drawn[t, 0]:
                distance = min(distance, barycentric[y, x, 0] * area / max(np.hypot(vx - ux, vy - uy), 1e-6))
            if drawn[t, 1]:
                distance = min(distance, barycentric[y, x, 1] * area / max(np.hypot(vx, vy), 1e-6))
            if drawn[t, 2]:
                distance = min(distance, barycentric[y, x, 2] * area / max(np.hypot(ux, uy), 1e-6))
            strength = min(max(2 * np.sqrt(area) / (_OPEN_SPACING * width), _FAINTEST), 1.0)
            lines[y, x] = strength * min(max(0.5 * width + 0.5 - distance, 0.0), 1.0)


@lru_cache(maxsize=4)
def drawn_edges(head: HeadModel) -> Bools:
    """Choose the edges of a mesh that a wireframe draws.

    The open head is made of quads, each split into two triangles and those into four: only the edges of the quads are
    drawn. Its eyeballs are not made of quads, and no edges of theirs are drawn. Heads without quads are drawn whole.

    Args:
        head: the model.

    Returns:
        (T, 3) bool, whether the edge opposite to each corner is drawn.
    """
    whole = len(head.triangles) - len(head.triangles) % 8
    # A triangle abc is split into (a, ab, ca), (ab, b, bc), (ca, bc, c) and (ab, bc, ca), in this order.
    pieces = head.triangles[:whole].reshape(-1, 2, 4, 3)
    middle = np.stack([pieces[:, :, 0, 1], pieces[:, :, 1, 2], pieces[:, :, 2, 0]], axis=-1)
    corners = np.stack([pieces[:, :, k, k] for k in range(3)], axis=-1)
    edges = np.sort(np.stack([corners, np.roll(corners, -1, axis=-1)], axis=-1), axis=-1)  # ab, bc, ca
    same = (edges[:, 0, :, None] == edges[:, 1, None]).all(axis=-1)  # shared by both triangles: the diagonal
    quads = (middle == pieces[:, :, 3]).all(axis=(1, 2)) & (same.sum(axis=(1, 2)) == 1)
    if not quads.any():
        return np.ones(head.triangles.shape, bool)
    sides = ~np.stack([same.any(axis=2), same.any(axis=1)], axis=1) & quads[:, None, None]
    ab, bc, ca = np.moveaxis(sides, -1, 0)
    none = np.zeros_like(ab)
    rows = [[none, ca, ab], [bc, none, ab], [bc, ca, none], [none, none, none]]
    drawn = np.zeros(head.triangles.shape, bool)
    drawn[:whole] = np.stack([np.stack(row, axis=-1) for row in rows], axis=2).reshape(-1, 3)
    return drawn
