"""Points on triangle meshes: closest points, barycentric interpolation."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Float64, Floats


class SurfacePoints(NamedTuple):
    """Points on a triangle mesh.

    Attributes:
        triangles: (n,) int, the triangle that contains each point.
        weights: (n, 3) float64, barycentric, not negative, summing to 1.
        positions: (n, 3) float64.
        distances: (n,) float64, distance to the query point.
    """

    triangles: NDArray[np.intp]
    weights: Float64
    positions: Float64
    distances: Float64


def closest_points(
    points: Floats, vertices: Floats, triangles: NDArray[np.integer], candidates: int = 12
) -> SurfacePoints:
    """Find the point of a mesh nearest to each query point.

    Args:
        points: (n, 3) queries.
        vertices: (V, 3) of the mesh.
        triangles: (T, 3) of the mesh.
        candidates: number of triangles with the nearest centroids that are tested; the default is sufficient for
            triangles of similar size.
    """
    from scipy.spatial import cKDTree

    corners = np.asarray(vertices, np.float64)[triangles]
    _, nearest = cKDTree(corners.mean(axis=1)).query(points, k=min(candidates, len(triangles)))
    nearest = nearest.reshape(len(points), -1)
    query = np.repeat(np.asarray(points, np.float64), nearest.shape[1], axis=0)
    weights = _closest_in_triangle(query, corners[nearest.ravel()])
    positions = np.einsum("nc,ncd->nd", weights, corners[nearest.ravel()])
    distances = np.linalg.norm(positions - query, axis=1).reshape(nearest.shape)
    best = np.arange(len(points)) * nearest.shape[1] + distances.argmin(axis=1)
    return SurfacePoints(nearest.ravel()[best], weights[best], positions[best], distances.ravel()[best])


def _closest_in_triangle(points: Float64, corners: Float64) -> Float64:
    """Barycentric weights (n, 3) of the point of triangle `corners` (n, 3, 3) nearest to each point (n, 3)."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    normal = np.cross(b - a, c - a)
    area = (normal**2).sum(axis=1)
    flat = area < 1e-24  # a degenerate triangle is an edge
    area[flat] = 1.0
    inside = np.empty_like(points)
    inside[:, 1] = (np.cross(points - a, c - a) * normal).sum(axis=1) / area
    inside[:, 2] = (np.cross(b - a, points - a) * normal).sum(axis=1) / area
    inside[:, 0] = 1 - inside[:, 1] - inside[:, 2]
    best, distance = inside, np.where((inside >= 0).all(axis=1) & ~flat, -1.0, np.inf)
    for k in range(3):
        start, edge = corners[:, k], corners[:, (k + 1) % 3] - corners[:, k]
        along = ((points - start) * edge).sum(axis=1) / np.maximum((edge**2).sum(axis=1), 1e-30)
        along = np.clip(along, 0, 1)
        away = ((start + along[:, None] * edge - points) ** 2).sum(axis=1)
        weights = np.zeros_like(points)
        weights[:, k], weights[:, (k + 1) % 3] = 1 - along, along
        nearer = away < distance
        best = np.where(nearer[:, None], weights, best)
        distance = np.where(nearer, away, distance)
    return best
