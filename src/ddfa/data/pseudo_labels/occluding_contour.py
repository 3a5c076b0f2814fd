"""The occluding contour of a face: where its surface turns away from the viewer, from the chin to the far temple."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Bools, Float32, Float64, Floats, Int32
from ddfa.head.linear import LinearPoints
from ddfa.head.model import HeadModel
from ddfa.raster.rasterize import vertex_normals

# Regions around the face that are not part of its contour.
_BESIDE = ("ears", "hair", "neck")
# Regions whose contour is not the jaw, though at large yaw angles they protrude beyond the cheek.
_INNER = ("nose", "lips", "eyelid_left", "eyelid_right", "eye_socket")
_HIGHEST_MM = 45.0  # temples end here, above the eyes
_CENTRE = np.array([0.0, -15.0, 35.0])  # a point inside the head from which its contour is star-shaped
_SECTORS = 180
_OUTERMOST = 0.97  # of the way to the furthest vertex in a sector


@dataclass(frozen=True, eq=False)
class OccludingContour:
    """m points of the contour, each on an edge of the mesh.

    Attributes:
        ends: (m, 2) int32 vertices of `ContourFinder.points`.
        weights: (m, 2) float64, barycentric weights on the edge.
        places: (m, 2) float64 image px.
        normals: (m, 2) float64, unit vectors in the image that point away from the face.
    """

    ends: Int32
    weights: Float64
    places: Float64
    normals: Float64

    def nearest(self, points: Floats) -> "OccludingContour":
        """The j contour points nearest to points (j, 2) in the image."""
        which = np.linalg.norm(self.places - points[:, None], axis=-1).argmin(axis=1)
        return OccludingContour(self.ends[which], self.weights[which], self.places[which], self.normals[which])


class ContourFinder:
    """Finds the occluding contour of fitted heads.

    Args:
        head: the open head; its regions are used.

    Attributes:
        points: the vertices of the face as a linear function of the coefficients.
        triangles: (T, 3) int32 of these vertices.
    """

    points: LinearPoints
    triangles: Int32

    def __init__(self, head: HeadModel) -> None:
        beside = np.any([head.regions[name] for name in _BESIDE], axis=0)
        kept = head.regions["skin"] & ~beside & (head.mean[:, 2] > -10)
        chosen = np.flatnonzero(kept)
        number = np.cumsum(kept) - 1
        self.triangles = np.asarray(number[head.triangles[kept[head.triangles].all(axis=1)]], np.int32)
        self.points = head.subset(np.asarray(chosen, np.int32))
        inner = np.any([head.regions[name] for name in _INNER], axis=0)[chosen]
        self._side = np.where(inner | (head.mean[chosen, 1] > _HIGHEST_MM), 0.0, head.mean[chosen, 0])
        pairs = np.sort(self.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        self._edges = np.unique(pairs, axis=0)

    def find(self, shape: Float32, pose: Floats) -> OccludingContour:
        """The contour of one face on the side that is turned away from the viewer.

        Args:
            shape: (K, 3) float32, `points` in head space.
            pose: (3, 4), head space to image space.
        """
        normals = vertex_normals(shape, self.triangles) @ pose[:, :3].T
        seen = shape @ pose[:2, :3].T + pose[:2, 3]
        away = normals[:, 2] < 0
        edges = self._edges[away[self._edges[:, 0]] != away[self._edges[:, 1]]]
        # The contour crosses the edges where the interpolated normal is perpendicular to the line of sight.
        depth = normals[edges, 2]
        first = depth[:, 1] / (depth[:, 1] - depth[:, 0])
        weights = np.column_stack([first, 1 - first]).astype(np.float64)
        places, outward = (np.einsum("me,mec->mc", weights, values[edges]) for values in (seen, normals[:, :2]))
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        far = -np.sign(pose[2, 0])  # sign of x on the side that is turned away
        kept = (far * self._side[edges] > 0).all(axis=1) & _outermost(places, seen, pose)
        return OccludingContour(edges[kept].astype(np.int32), weights[kept], places[kept], outward[kept])


def _outermost(places: Floats, seen: Floats, pose: Floats) -> Bools:
    """Which positions (m, 2) no other part of the face (K, 2) exceeds, seen from the centre of the head."""
    middle = pose[:2, :3] @ _CENTRE + pose[:2, 3]
    (sector, radius), (all_sectors, all_radii) = (_polar(points - middle) for points in (places, seen))
    furthest = np.zeros(_SECTORS)
    np.maximum.at(furthest, all_sectors, all_radii)
    return np.asarray(radius > _OUTERMOST * furthest[sector])


def _polar(points: Floats) -> tuple[NDArray[np.intp], Floats]:
    x, y = points.T
    sector = ((np.arctan2(y, x) / (2 * np.pi) + 0.5) * _SECTORS).astype(int)
    return np.minimum(sector, _SECTORS - 1), np.hypot(x, y)


def far_jaw(pose: Floats) -> slice:
    """The jaw landmarks on the side that a pose (3, 4) turns away from the viewer, without the chin."""
    return slice(0, 8) if pose[2, 0] > 0 else slice(9, 17)
