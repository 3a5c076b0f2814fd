"""Placement of the 68 landmarks on the surface of a head, left-right symmetric."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Bools, Float32, Float64, Floats, Int32
from ddfa.data.registration.surface import closest_points
from ddfa.errors import ModelError
from ddfa.head.model import HeadModel

# Index of the mirrored landmark, iBUG-68 order.
MIRRORED = np.array(
    [
        *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
        45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
        54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
    ]
)  # fmt: skip
_FLIP = np.array([-1.0, 1.0, 1.0])


def refine_landmarks(
    head: HeadModel,
    identity: Floats,
    expression: Floats,
    points: Floats,
    landmarks: Sequence[int] = tuple(range(68)),
    rounds: int = 3,
) -> tuple[Int32, Float32]:
    """Move landmarks along the surface so that they agree, on average, with points observed on many fitted heads.

    Each landmark moves to where its mean residual over the heads vanishes, as far as the surface and the symmetry of
    the head allow. Only residuals along the surface matter, so a bias in depth has no effect.

    Args:
        head: the model whose landmarks are refined; with `mirror_vertices`.
        identity: (n, I) fitted coefficients.
        expression: (n, E) fitted coefficients.
        points: (n, 68, 3) the observed points, in head space by the fitted poses.
        landmarks: which to move, both of a mirrored pair or none; the others stay.
        rounds: steps of projected descent.

    Returns:
        Corners (68, 3) int32 and barycentric weights (68, 3) float32 of the refined landmarks.

    Raises:
        ModelError: the head has no mirror map.
    """
    moving = np.isin(np.arange(68), landmarks)
    vertices, weights = head.landmark_vertices, head.landmark_weights.astype(np.float64)
    for _ in range(rounds):
        used = np.unique(vertices)
        number = np.zeros(head.vertices, np.intp)
        number[used] = np.arange(len(used))
        corners = head.subset(used.astype(np.int32)).decode(identity, expression)[:, number[vertices]]
        residual = (points - np.einsum("nkcd,kc->nkd", corners, weights)).mean(axis=0)
        wanted = np.einsum("kcd,kc->kd", head.mean[vertices], weights) + np.where(moving[:, None], residual, 0.0)
        vertices, weights = place_landmarks(head, vertices, wanted, moving, weights)
    return vertices, weights.astype(np.float32)


def place_landmarks(
    head: HeadModel,
    vertices: Int32,
    wanted: Floats,
    moving: Bools | None = None,
    weights: Floats | None = None,
    reach: int = 6,
) -> tuple[Int32, Float64]:
    """Put landmarks on the mean head at the points of its skin nearest to wanted positions, made symmetric.

    Args:
        head: the model, with `mirror_vertices`.
        vertices: (68, 3) corners of the present landmarks.
        wanted: (68, 3) positions near them.
        moving: (68,) bool, which to place; all by default.
        weights: (68, 3) of the present landmarks, needed for those that stay.
        reach: how many edges a landmark may move. The bound matters because lips touch: a point of the upper lip must
            not move to the lower one.

    Returns:
        Corners (68, 3) and weights (68, 3).

    Raises:
        ModelError: the head has no mirror map.
    """
    if head.mirror_vertices is None:
        raise ModelError(f"head model '{head.name}' has no mirror map: landmarks are placed on the open head only")
    surface = (
        head.triangles[head.regions["skin"][head.triangles].all(axis=1)] if "skin" in head.regions else head.triangles
    )
    goal = 0.5 * (wanted + wanted[MIRRORED] * _FLIP)
    vertices = vertices.copy()
    placed = np.zeros((68, 3)) if weights is None else np.array(weights, np.float64)
    for k in np.flatnonzero(np.ones(68, bool) if moving is None else moving):
        other = MIRRORED[k]
        if k <= other:
            near = rings_from(surface, np.isin(np.arange(head.vertices), vertices[k]), reach) >= 0
            patch = surface[near[surface].all(axis=1)]
            if k == other:
                patch = _midline(head, patch)
            hit = closest_points(goal[k : k + 1], head.mean, patch, candidates=60)
            vertices[k], placed[k] = patch[hit.triangles[0]], hit.weights[0]
        if k < other:
            vertices[other], placed[other] = head.mirror_vertices[vertices[k]], placed[k]
    return vertices, placed


def _midline(head: HeadModel, triangles: Int32) -> Int32:
    """The edges of a patch in the plane of symmetry, as triangles (a, b, b)."""
    middle = np.abs(head.mean[:, 0]) < 1e-2
    pairs = np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=-1).reshape(-1, 2)
    pairs = pairs[middle[pairs].all(axis=1)]
    return np.asarray(pairs[:, [0, 1, 1]], np.int32)


def rings_from(triangles: NDArray[np.integer], seed: Bools, count: int) -> NDArray[np.intp]:
    """Count edges from a set of vertices.

    Args:
        triangles: (T, 3) of the mesh.
        seed: (V,) the vertices at 0.
        count: largest number of edges.

    Returns:
        (V,) the number of edges to the nearest seed, -1 beyond `count`.
    """
    distance = np.where(seed, 0, -1)
    for ring in range(1, count + 1):
        touched = (distance[triangles] >= 0).any(axis=1)
        reached = np.unique(triangles[touched])
        distance[reached[distance[reached] < 0]] = ring
    return distance
