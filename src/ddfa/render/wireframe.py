"""The lines of a face's mesh: equally wide at any distance, those on its far side hidden."""

from functools import lru_cache
from typing import Final

import numpy as np

from ddfa.arrays import Bools, Float32, Int32
from ddfa.head.model import HeadModel
from ddfa.render.figure import Figure, Sight
from ddfa.render.rasterize import interpolate

_LINE: Final = np.array([222, 244, 255], np.float32)
_VEIL: Final = np.array([14, 30, 52], np.float32)
_VEIL_OPACITY: Final = 0.34
_WIDTH: Final = 1.0 / 360  # of the face's length
_OPEN_SPACING: Final = 7.0  # px between lines from which they are drawn in full; closer ones fade


def wireframe(figure: Figure, sight: Sight) -> tuple[Float32, Float32]:
    """Draw the lines of a mesh on a dark veil.

    Where lines would run together, as around the eyes or on a small face, they fade.

    Args:
        figure: the face.
        sight: what is seen of it.

    Returns:
        Colour (h, w, 3) float32 in [0, 255] and opacity (h, w) float32 in [0, 1].
    """
    triangles, mask = figure.head.triangles, sight.raster.mask
    drawn = drawn_edges(figure.head)
    heights, spacing = _heights(figure.vertices, triangles)
    seen = sight.raster.triangle[mask]
    distance = heights[seen] * sight.raster.barycentric[mask]
    # A point on a line has weight 0 of the corner opposite to it; an edge that is not drawn is far from everywhere.
    distance[~drawn[seen]] = np.inf
    width = float(np.clip(_WIDTH * np.ptp(figure.landmarks[:, :2], axis=0).max(), 0.8, 4))
    strength = np.clip(spacing / (_OPEN_SPACING * width), 0.2, 1)[seen]
    lines = np.zeros(mask.shape, np.float32)
    lines[mask] = strength * np.clip(0.5 * width + 0.5 - distance.min(axis=1), 0, 1)
    light = interpolate(sight.raster, triangles, 0.4 + 0.6 * np.clip(figure.normals[:, 2:], 0, 1))
    colour = _VEIL + (_LINE * light - _VEIL) * lines[..., None]
    return colour.astype(np.float32), (_VEIL_OPACITY + (1 - _VEIL_OPACITY) * lines).astype(np.float32)


def _heights(vertices: Float32, triangles: Int32) -> tuple[Float32, Float32]:
    """Heights (T, 3) of the triangles on the picture, one over each side, and the space (T,) between lines, px."""
    corners = vertices[triangles, :2]
    sides = np.roll(corners, -1, axis=1) - np.roll(corners, 1, axis=1)  # the side opposite to each corner
    lengths = np.sqrt((sides**2).sum(axis=2))
    area = np.abs(sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0])
    heights = area[:, None] / np.maximum(lengths, 1e-6)
    return heights, 2 * np.sqrt(area)


@lru_cache(maxsize=4)
def drawn_edges(head: HeadModel) -> Bools:
    """Choose the edges of a mesh that a wireframe draws.

    The open head is made of quads, each split into two triangles and those into four: the edges of the quads are
    drawn, and its eyeballs, which are made otherwise, have none. Of a head without such quads all edges are drawn.

    Args:
        head: the model.

    Returns:
        (T, 3) bool, whether the edge opposite to each corner is drawn.
    """
    whole = len(head.triangles) - len(head.triangles) % 8
    # Of a triangle abc come (a, ab, ca), (ab, b, bc), (ca, bc, c) and (ab, bc, ca), in this order.
    pieces = head.triangles[:whole].reshape(-1, 2, 4, 3)
    middle = np.stack([pieces[:, :, 0, 1], pieces[:, :, 1, 2], pieces[:, :, 2, 0]], axis=-1)
    corners = np.stack([pieces[:, :, k, k] for k in range(3)], axis=-1)
    edges = np.sort(np.stack([corners, np.roll(corners, -1, axis=-1)], axis=-1), axis=-1)  # ab, bc, ca
    same = (edges[:, 0, :, None] == edges[:, 1, None]).all(axis=-1)  # of the two triangles: where the diagonal is
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
