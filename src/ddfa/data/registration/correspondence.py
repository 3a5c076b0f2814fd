"""Dense correspondence: find the vertices of one head model on the surface of another.

Pseudo-labels come from models with other meshes. To fit the open head to their vertices, the position of each of them
on its skin is needed. `register` computes it from the two neutral mean shapes alone: a similarity from landmarks, then
a fit of the identity modes, then a smooth free deformation of the skin onto the other surface (non-rigid ICP, after
Amberg et al., "Optimal step nonrigid ICP algorithms for surface registration", 2007), and finally the closest point of
the deformed skin for every vertex of the other mesh.

The result is derived from the other model and shares its licence: compute it where it is needed, do not distribute it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array, diags_array, eye_array
from scipy.sparse.linalg import splu

from ddfa.arrays import Bools, Float32, Float64, Floats, Int32
from ddfa.data.registration.surface import SurfacePoints, closest_points
from ddfa.errors import ModelError
from ddfa.geometry.similarity import Similarity, fit_similarity
from ddfa.head.model import HeadModel

# Landmarks at the same position on both meshes: nose, eyes and mouth, but not brows and jaw.
INNER_LANDMARKS = tuple(range(27, 68))
STIFFNESS = (3000.0, 1000.0, 300.0, 100.0, 30.0, 10.0, 10.0)
ANCHOR_WEIGHT = 20.0
SURFACE_NOISE = 1.0  # mm, residual of a person's skin after the best fit of identity modes
MAX_GAP = 12.0  # mm; closest points farther away are not matches
VALID_GAP = 1.5  # mm, largest residual of a valid correspondence


@dataclass(frozen=True)
class Correspondence:
    """Positions of the vertices of another model on a head.

    Attributes:
        corners: (K, 3) int32, head vertices of the triangle that contains each of the other model's K vertices.
        weights: (K, 3) float32, barycentric.
        valid: (K,) bool, False outside the face and where the surfaces do not meet.
        gaps: (K,) float32, residual distance in mm.
        similarity: from the other model's space to head space.
    """

    corners: Int32
    weights: Float32
    valid: Bools
    gaps: Float32
    similarity: Similarity

    def positions(self, vertices: Floats) -> Float64:
        """Compute the K points (..., K, 3) for vertices (..., V, 3) of the head."""
        return np.asarray(np.einsum("...kcd,kc->...kd", vertices[..., self.corners, :], self.weights), np.float64)


def register(head: HeadModel, target: HeadModel, anchors: Sequence[int] = INNER_LANDMARKS) -> Correspondence:
    """Find every vertex of `target` on the skin of `head`.

    Convention: both means are neutral faces with the mouth closed, in their own head spaces. It takes about ten seconds
    on one core.

    Args:
        head: the open head, with its regions `skin` and `ears`.
        target: a model with triangles, such as 3DDFA_V2's.
        anchors: iBUG-68 indices of the landmarks to match; those of the inner face by default.

    Returns:
        The correspondence for all vertices of `target`.

    Raises:
        ModelError: the target has no triangles, or the head no such regions.
    """
    if not len(target.triangles):
        raise ModelError(f"head model '{target.name}' has no triangles: put its tri.mat or tri.pkl beside it")
    if not {"skin", "ears"} <= head.regions.keys():
        raise ModelError(f"head model '{head.name}' names no skin and ears: register from the open head")
    chosen = np.array(anchors)
    patch = _Patch.of(head, head.regions["skin"] & ~head.regions["ears"], chosen)
    goal = target.landmark_points.mean[chosen]
    surface = np.asarray(target.mean, np.float64)
    shape, similarity = _fit_identity(patch, surface, target.triangles, goal)
    surface, goal = similarity.apply(surface), similarity.apply(goal)
    deformed = _deform(patch, shape, surface, target.triangles, goal)
    return _correspond(patch, deformed, surface, target.triangles, similarity)


@dataclass(frozen=True)
class _Patch:
    """The part of the head that is registered, with vertices renumbered from 0."""

    vertices: NDArray[np.intp]  # (N,) ids in the head
    mean: Float64  # (N, 3)
    modes: Float64  # (I, N, 3)
    triangles: NDArray[np.intp]  # (T, 3)
    anchors: csc_array  # (A, N), anchor points from patch vertices

    @staticmethod
    def of(head: HeadModel, mask: Bools, landmarks: NDArray[np.integer]) -> "_Patch":
        mask = mask.copy()
        mask[head.landmark_vertices[landmarks]] = True
        vertices = np.flatnonzero(mask)
        number = np.full(len(mask), -1)
        number[vertices] = np.arange(len(vertices))
        triangles = number[head.triangles[mask[head.triangles].all(axis=1)]]
        columns = number[head.landmark_vertices[landmarks]]
        rows = np.repeat(np.arange(len(landmarks)), 3)
        entries = (head.landmark_weights[landmarks].ravel().astype(np.float64), (rows, columns.ravel()))
        anchors = csc_array(coo_array(entries, shape=(len(landmarks), len(vertices))))
        mean, modes = head.mean[vertices].astype(np.float64), head.identity_basis[:, vertices].astype(np.float64)
        return _Patch(vertices, mean, modes, triangles, anchors)


def _fit_identity(
    patch: _Patch, surface: Float64, triangles: Int32, goal: Floats, rounds: int = 12
) -> tuple[Float64, Similarity]:
    """Fit the identity modes to the target and the similarity from the target to the head, alternately."""
    shape = patch.mean
    sample = np.arange(0, len(shape), 4)
    similarity = fit_similarity(goal, patch.anchors @ shape)
    anchor_modes = np.stack([patch.anchors @ mode for mode in patch.modes])
    basis = np.concatenate([patch.modes[:, sample], anchor_modes], axis=1).reshape(len(patch.modes), -1)
    mean = np.concatenate([patch.mean[sample], patch.anchors @ patch.mean])
    for _ in range(rounds):
        moved = similarity.apply(surface)
        hit = closest_points(shape[sample], moved, triangles)
        weight = np.concatenate(
            [_trust(shape, patch.triangles, sample, moved, triangles, hit), np.full(len(goal), 3.0)]
        )
        wanted = np.concatenate([hit.positions, similarity.apply(goal)])
        metric = np.repeat(weight, 3) / SURFACE_NOISE**2
        system = (basis * metric) @ basis.T + 10.0 * np.eye(len(basis))
        coefficients = np.linalg.solve(system, (basis * metric) @ (wanted - mean).ravel())
        shape = patch.mean + np.tensordot(coefficients, patch.modes, axes=1)
        source = np.concatenate([_pull_back(similarity, hit.positions), goal])
        fitted = np.concatenate([shape[sample], patch.anchors @ shape])
        similarity = fit_similarity(source, fitted, weight + 1e-9)
    return shape, similarity


def _pull_back(similarity: Similarity, points: Float64) -> Float64:
    moved = (points - similarity.translation) @ similarity.rotation
    return np.asarray(moved / similarity.scale, np.float64)


def _deform(patch: _Patch, shape: Float64, surface: Float64, triangles: Int32, goal: Float64) -> Float64:
    """Non-rigid ICP: move each vertex to the closest point of the target, with less and less stiffness.

    Minimises sum w |x + d - p|^2 + anchors + stiffness |L d|^2 over displacements d, with the uniform Laplacian L.
    """
    count = len(shape)
    laplacian = _laplacian(patch.triangles, count)
    bending = (laplacian.T @ laplacian).tocsc()
    hold = (ANCHOR_WEIGHT * patch.anchors.T @ patch.anchors).tocsc()
    pull = ANCHOR_WEIGHT * patch.anchors.T @ (goal - patch.anchors @ shape)
    everyone = np.arange(count)
    deformed = shape
    for stiffness in STIFFNESS:
        hit = closest_points(deformed, surface, triangles)
        weight = _trust(deformed, patch.triangles, everyone, surface, triangles, hit)
        system = diags_array(weight) + hold + stiffness * bending + 1e-6 * eye_array(count)
        right = weight[:, None] * (hit.positions - shape) + pull
        deformed = shape + splu(csc_array(system)).solve(right)
    return np.asarray(deformed, np.float64)


def _laplacian(triangles: NDArray[np.intp], count: int) -> csc_array:
    one, other = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
    ones = np.ones(2 * len(one))
    pairs = (np.concatenate([one, other]), np.concatenate([other, one]))
    adjacency = (coo_array((ones, pairs), shape=(count, count)).tocsr() > 0).astype(np.float64)
    degree = np.maximum(adjacency.sum(axis=1), 1.0)
    return csc_array(eye_array(count) - diags_array(1.0 / degree) @ adjacency)


def _trust(
    shape: Float64,
    shape_triangles: NDArray[np.intp],
    sample: NDArray[np.intp],
    surface: Float64,
    triangles: Int32,
    hit: SurfacePoints,
) -> Float64:
    """(n,) weight of each closest point: 0 if far, on the border of the target, or facing another direction."""
    normals = _normals(shape, shape_triangles)[sample]
    facing = (normals * _normals(surface, triangles)[triangles[hit.triangles, 0]]).sum(axis=1)
    border = _border(triangles, len(surface))
    corner = triangles[hit.triangles, hit.weights.argmax(axis=1)]
    return np.where((hit.distances < MAX_GAP) & (facing > 0.6) & ~border[corner], 1.0, 0.0)


def _normals(vertices: Float64, triangles: NDArray[np.integer]) -> Float64:
    from ddfa.raster.rasterize import vertex_normals

    return vertex_normals(vertices, triangles).astype(np.float64)  # type: ignore[arg-type]


def _border(triangles: NDArray[np.integer], count: int) -> Bools:
    """Vertices on an edge that belongs to one triangle only."""
    edges = np.sort(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    unique, faces = np.unique(edges, axis=0, return_counts=True)
    border = np.zeros(count, bool)
    border[unique[faces == 1]] = True
    return border


def _correspond(
    patch: _Patch, deformed: Float64, surface: Float64, triangles: Int32, similarity: Similarity
) -> Correspondence:
    hit = closest_points(surface, deformed, patch.triangles)
    border = _border(patch.triangles, len(deformed))
    corners = patch.triangles[hit.triangles]
    facing = (_normals(surface, triangles) * _normals(deformed, patch.triangles)[corners[:, 0]]).sum(axis=1)
    on_border = border[corners].any(axis=1)
    valid = (hit.distances < VALID_GAP) & (facing > 0.6) & ~on_border
    return Correspondence(
        corners=patch.vertices[corners].astype(np.int32),
        weights=hit.weights.astype(np.float32),
        valid=np.asarray(valid, bool),
        gaps=hit.distances.astype(np.float32),
        similarity=similarity,
    )
