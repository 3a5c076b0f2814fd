"""Fit the occluding contour of a head to human jaw points.

On faces at larger yaw angles annotators follow the visible contour (the 2D contour convention of 300-W), which is no
fixed part of the head. Therefore, after a fit, Gauss-Newton steps are made for each head: each step recomputes the
contour, and all other observations are represented by the quadratic form of the first fit around its solution.
"""

import numpy as np

from ddfa.arrays import Bools, Float32, Float64, Floats
from ddfa.data.pseudo_labels.fit import Fit
from ddfa.data.pseudo_labels.occluding_contour import ContourFinder, OccludingContour, far_jaw
from ddfa.geometry.pose import nearest_rotation, small_motions

# Expected error of the annotations; below the true one, to outweigh the predictions of the teachers for the jaw.
_NOISE_MM = 0.5
_OUTLIER_MM = 8.0  # at this distance from the contour a point has a quarter of its weight
_ASIDE_MM = 4.0  # points further than this past the end of the contour are ignored
_ROUNDS = 6
# Sine of the yaw at which the jaw points begin to count, and at which they count fully. On frontal faces the contour is
# at the jaw landmarks, and nothing is to be corrected.
_TURNED = (0.2, 0.35)


def refine(outline: ContourFinder, first: Fit, jaw: Floats, curvature: Floats) -> Fit:
    """Fit the occluding contours of heads to human jaw points.

    Args:
        outline: finds the contour of the head.
        first: n fits without the jaw points; those of frontal faces are returned unchanged.
        jaw: (n, 17, 2) image px.
        curvature: (I + E + 7, I + E + 7) of what `first` minimises, see `ddfa.data.pseudo_labels.fit.curvature`.

    Returns:
        The fits; `residual` is that of `first`.
    """
    turned = np.abs(_sine(first.pose)) > _TURNED[0]
    pose, identity, expression = first.pose.copy(), first.identity.copy(), first.expression.copy()
    for k in np.flatnonzero(turned):
        found = _refined(outline, pose[k], np.r_[identity[k], expression[k]], jaw[k], np.asarray(curvature))
        pose[k] = found[0]
        identity[k], expression[k] = np.split(found[1], [identity.shape[1]])
    return Fit(pose, identity, expression, first.residual)


def _sine(pose: Floats) -> Floats:
    return np.asarray(pose[..., 2, 0] / np.linalg.norm(pose[..., 2, :3], axis=-1))


def _refined(
    outline: ContourFinder, pose: Floats, coefficients: Floats, jaw: Floats, curvature: Float64
) -> tuple[Float64, Float64]:
    """Pose (3, 4) and coefficients (I + E,) of one head whose contour is fitted to jaw points (17, 2)."""
    low, high = _TURNED
    share = np.clip((abs(_sine(pose)) - low) / (high - low), 0, 1)
    aims = np.asarray(jaw[far_jaw(pose)], np.float64)
    aims = aims[np.isfinite(aims).all(axis=1)]
    count = len(coefficients)
    bounds = np.full((len(curvature), 2), [-np.inf, np.inf])
    bounds[outline.points.identities : count] = 0  # or expressions would explain the contour, such as puffed cheeks
    step = np.zeros(len(curvature))
    for _ in range(_ROUNDS):
        shape = outline.points.decode(
            *np.split((coefficients + step[:count])[None], [outline.points.identities], axis=1)
        )
        present = moved_pose(pose, step[count:])
        found = outline.find(shape[0], present).nearest(aims)
        size = np.linalg.norm(present[0, :3])
        x, y = ((aims - found.places) / size).T
        # Only the distance across the contour is minimised: along it, annotators place points by eye.
        gaps = x * found.normals[:, 0] + y * found.normals[:, 1]
        beside = np.abs(y * found.normals[:, 0] - x * found.normals[:, 1])
        # Geman-McClure weights; points past the end of the contour have nothing to attract.
        trust = share * _NOISE_MM**-2.0 / (1 + (gaps / _OUTLIER_MM) ** 2) ** 2 * (beside < _ASIDE_MM)
        rows = contour_rows(outline, found, shape[0], found.normals @ present[:2, :3] / size)
        weighted = rows.T * trust
        step = _bounded(curvature + weighted @ rows, weighted @ (gaps + rows @ step), bounds)
    return moved_pose(pose, step[count:]), coefficients + step[:count]


def contour_rows(outline: ContourFinder, found: OccludingContour, shape: Float32, directions: Floats) -> Float64:
    """Derivatives (j, I + E + 7) of contour points along directions of head space, by coefficients and small motions.

    Args:
        outline: the contour finder.
        found: j contour points.
        shape: (K, 3) vertices of the current head.
        directions: (j, 3) head space.
    """
    bases = np.einsum("mjec,je->jmc", outline.points.bases[:, found.ends], found.weights)
    motions = small_motions(np.einsum("jec,je->jc", shape[found.ends], found.weights))
    both = np.concatenate([bases, motions.reshape(7, -1, 3).transpose(1, 0, 2)], axis=1)
    return np.asarray(np.einsum("jmc,jc->jm", both, directions), np.float64)


def moved_pose(pose: Floats, motion: Floats) -> Float64:
    """A pose (3, 4) after a small rotation, translation and scaling (7,) of the head, see `small_motions`."""
    cross = np.array([[0, -motion[2], motion[1]], [motion[2], 0, -motion[0]], [-motion[1], motion[0], 0]])
    linear = (1 + motion[6]) * pose[:, :3] @ nearest_rotation(np.eye(3) + cross)
    return np.column_stack([linear, pose[:, 3] + pose[:, :3] @ motion[3:6]])


def _bounded(matrix: Float64, right: Float64, bounds: Floats) -> Float64:
    """Minimise x A x / 2 - b x within bounds (P, 2), approximately, by an active set that only grows."""
    held = np.zeros(len(right), bool)
    values = np.zeros_like(right)
    for _ in range(4):
        free = ~held
        solved = np.linalg.solve(matrix[np.ix_(free, free)], right[free] - matrix[np.ix_(free, held)] @ values[held])
        values[free] = np.clip(solved, *bounds[free].T)
        left: Bools = np.zeros_like(held)
        left[free] = values[free] != solved
        if not left.any():
            break
        held |= left
    return values
