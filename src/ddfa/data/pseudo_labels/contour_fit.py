"""Human jaw points tell the outline of a turned face: each attracts the outline of the fitted head, wherever it lies.

On turned faces annotators follow the visible outline (the 2D contour convention of 300-W), which is no fixed place of
the head.  So, after a fit, Gauss-Newton steps for each head alone: the outline is found anew in each, and all that the
fit knew is summed up by its quadratic form about its solution.
"""

import numpy as np

from ddfa.arrays import Bools, Float32, Float64, Floats
from ddfa.data.pseudo_labels.fit import Fit
from ddfa.data.pseudo_labels.occluding_contour import ContourFinder, OccludingContour, far_jaw
from ddfa.geometry.pose import nearest_rotation, small_motions

# Expected error of the annotations; less than it is, for what the teachers see of the jaw counts as well.
_NOISE_MM = 0.5
_OUTLIER_MM = 8.0  # a point this far off the outline has lost three quarters of its say
_ASIDE_MM = 4.0  # a point that lies this far beside the end of the outline has no place on it
_ROUNDS = 6
# Frontal faces keep their fit: their outline is where the jaw landmarks are. Sine of the turn, from nothing to all.
_TURNED = (0.2, 0.35)


def refine(outline: ContourFinder, first: Fit, jaw: Floats, curvature: Floats) -> Fit:
    """Draw the outlines of turned heads to human jaw points.

    Args:
        outline: of the head.
        first: n fits without the jaw points; faces that look ahead keep theirs, bit for bit.
        jaw: (n, 17, 2) image px.
        curvature: (I + E + 7, I + E + 7) of what `first` minimises, see `ddfa.data.pseudo_labels.fit.curvature`.

    Returns:
        The fits; their `residual` is still the first one's.
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
    """Pose (3, 4) and coefficients (I + E,) of one head whose outline is drawn to jaw points (17, 2)."""
    low, high = _TURNED
    share = np.clip((abs(_sine(pose)) - low) / (high - low), 0, 1)
    aims = np.asarray(jaw[far_jaw(pose)], np.float64)
    aims = aims[np.isfinite(aims).all(axis=1)]
    count = len(coefficients)
    bounds = np.full((len(curvature), 2), [-np.inf, np.inf])
    bounds[outline.points.identities : count] = 0  # an outline tells nothing of expressions, yet cheeks would puff
    step = np.zeros(len(curvature))
    for _ in range(_ROUNDS):
        shape = outline.points.decode(
            *np.split((coefficients + step[:count])[None], [outline.points.identities], axis=1)
        )
        present = _moved(pose, step[count:])
        found = outline.find(shape[0], present).nearest(aims)
        size = np.linalg.norm(present[0, :3])
        x, y = ((aims - found.places) / size).T
        gaps = x * found.normals[:, 0] + y * found.normals[:, 1]
        beside = np.abs(y * found.normals[:, 0] - x * found.normals[:, 1])
        trust = share * _NOISE_MM**-2.0 / (1 + (gaps / _OUTLIER_MM) ** 2) ** 2 * (beside < _ASIDE_MM)
        rows = _rows(outline, found, shape[0], found.normals @ present[:2, :3] / size)
        weighted = rows.T * trust
        step = _bounded(curvature + weighted @ rows, weighted @ (gaps + rows @ step), bounds)
    return _moved(pose, step[count:]), coefficients + step[:count]


def _rows(outline: ContourFinder, found: OccludingContour, shape: Float32, directions: Floats) -> Float64:
    """How far (j, I + E + 7) outline points go along directions (j, 3) of head space per unit of each parameter."""
    bases = np.einsum("mjec,je->jmc", outline.points.bases[:, found.ends], found.weights)
    motions = small_motions(np.einsum("jec,je->jc", shape[found.ends], found.weights))
    both = np.concatenate([bases, motions.reshape(7, -1, 3).transpose(1, 0, 2)], axis=1)
    return np.asarray(np.einsum("jmc,jc->jm", both, directions), np.float64)


def _moved(pose: Floats, motion: Floats) -> Float64:
    """A pose (3, 4) after a small turn, shift and growth (7,) of the head."""
    cross = np.array([[0, -motion[2], motion[1]], [motion[2], 0, -motion[0]], [-motion[1], motion[0], 0]])
    linear = (1 + motion[6]) * pose[:, :3] @ nearest_rotation(np.eye(3) + cross)
    return np.column_stack([linear, pose[:, 3] + pose[:, :3] @ motion[3:6]])


def _bounded(matrix: Float64, right: Float64, bounds: Floats) -> Float64:
    """Minimise x A x / 2 - b x with bounds (P, 2), well enough: what leaves them is held there, and the rest solved."""
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
