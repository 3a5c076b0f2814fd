"""One level of Loop subdivision as a fixed linear operator."""

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix

from .source import Ints


def edges_of(triangles: Ints) -> tuple[Ints, Ints, Ints]:
    """Unique edges.

    Returns:
        edges (E, 2) sorted pairs; triangle_edges (T, 3), edge k runs from corner k to k+1; faces per edge (E,).
    """
    pairs = np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=-1).reshape(-1, 2)
    edges, inverse, count = np.unique(np.sort(pairs, axis=1), axis=0, return_inverse=True, return_counts=True)
    return edges, inverse.reshape(-1, 3), count


def split_triangles(triangles: Ints, vertices: int) -> tuple[Ints, Ints]:
    """Four triangles for each; new vertices are numbered after the old ones, in order of the edges.

    Returns:
        triangles (4T, 3), the four children of a triangle in a row; edges (E, 2).
    """
    edges, triangle_edges, _ = edges_of(triangles)
    ab, bc, ca = (vertices + triangle_edges).T
    a, b, c = triangles.T
    children = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.stack([np.stack(child, axis=1) for child in children], axis=1).reshape(-1, 3), edges


def loop_operator(triangles: Ints, vertices: int) -> csr_matrix:
    """(V + E, V) operator of one Loop step (Loop 1987, Warren's vertex weights; cubic spline on the boundary)."""
    edges, triangle_edges, faces = edges_of(triangles)
    inner = faces == 2
    opposite = np.roll(triangles, 1, axis=1).ravel()  # the corner across from edge k
    across = np.zeros((len(edges), 2), int)
    order = np.argsort(triangle_edges.ravel(), kind="stable")
    ends = np.cumsum(faces)
    across[:, 0], across[:, 1] = opposite[order[ends - faces]], opposite[order[ends - 1]]
    rows, columns, values = [], [], []

    def add(row: Ints, column: Ints, value: float | np.ndarray) -> None:
        rows.append(row)
        columns.append(column)
        values.append(np.broadcast_to(value, row.shape))

    new = vertices + np.arange(len(edges))
    for end in range(2):
        add(new, edges[:, end], np.where(inner, 3 / 8, 1 / 2))
        add(new[inner], across[inner, end], 1 / 8)
    boundary = np.zeros(vertices, bool)
    boundary[edges[~inner]] = True
    valence = np.bincount(edges.ravel(), minlength=vertices)
    beta = np.where(valence == 3, 3 / 16, 3 / (8 * np.maximum(valence, 1)))
    for one, other in (edges.T, edges.T[::-1]):
        smooth = ~boundary[one]
        add(one[smooth], other[smooth], beta[one[smooth]])
        border = ~inner
        add(one[border], other[border], 1 / 8)
    everyone = np.arange(vertices)
    add(everyone, everyone, np.where(boundary, 3 / 4, 1 - valence * beta))
    shape = (vertices + len(edges), vertices)
    return csr_matrix(coo_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape))


def mirror_of(mirror: Ints, edges: Ints) -> Ints:
    """Mirror map of the subdivided mesh from that of the control mesh."""
    size = len(mirror)
    key = edges[:, 0] * size + edges[:, 1]
    images = np.sort(mirror[edges], axis=1)
    found = np.searchsorted(key, images[:, 0] * size + images[:, 1])
    if not np.array_equal(edges[found], images):
        raise ValueError("the control mesh is not left-right symmetric")
    return np.concatenate([mirror, size + found])
