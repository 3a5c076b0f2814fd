"""Fit a head model to 3D points observed in photos: batched, regularised least squares."""

from dataclasses import dataclass, replace

import numpy as np

from ddfa.arrays import Bools, Float32, Float64, Floats
from ddfa.geometry.camera import FLIP_Y, weak_perspective
from ddfa.geometry.pose import small_motions
from ddfa.geometry.similarity import fit_similarity
from ddfa.head.linear import LinearPoints


@dataclass(frozen=True)
class FitOptions:
    """Weight of the points against the prior, and the iterations of the solver.

    Attributes:
        iterations: alternations between pose and coefficients.
        noise_mm: expected error of the points, in head units.
        independent_points: number of independent observations that all points together are worth, as the errors of
            neighbouring points are correlated.
        expression_std: prior standard deviation of an expression coefficient around 0.
        box_steps: iterations of the solver that keeps expressions in [0, 1].
    """

    iterations: int = 6
    noise_mm: float = 1.0
    independent_points: float = 150
    expression_std: float = 0.4
    box_steps: int = 40


@dataclass(frozen=True, eq=False)
class FitConstraints:
    """Observations besides the points, and a prior of the coefficients.

    Attributes:
        differences: D differences between two points of the head, or two means of points. They do not change under
            translation, so that their source need not agree with that of the points on where the face is.
        targets: (n, D, 2) their observed x and y, image space px; the depth is unknown.
        precision: (D,) inverse variance of their errors, head units to the power -2.
        expression: (n, E) prior mean of the expression, in place of 0.
        expression_std: (E,) prior standard deviation, in place of `FitOptions.expression_std`.
        identity: (n, I) prior mean of the identity; None means 0.
    """

    differences: LinearPoints
    targets: Floats
    precision: Floats
    expression: Floats
    expression_std: Floats
    identity: Floats | None = None

    @staticmethod
    def prior(
        points: LinearPoints, expression: Floats, expression_std: Floats, identity: Floats | None = None
    ) -> "FitConstraints":
        """Only a prior of the coefficients and no differences; `points` are any points of the head."""
        none = LinearPoints(points.mean[:0], points.bases[:, :0], points.identities)
        nothing = np.zeros((len(expression), 0, 2))
        return FitConstraints(none, nothing, np.zeros(0), expression, expression_std, identity)

    def select(self, where: Bools) -> "FitConstraints":
        """The constraints of the heads at `where` (n,)."""
        identity = None if self.identity is None else self.identity[where]
        return replace(self, targets=self.targets[where], expression=self.expression[where], identity=identity)


@dataclass(frozen=True, eq=False)
class Fit:
    """Fitted heads.

    Attributes:
        pose: (n, 3, 4) float32, head space to image space (y down): scale x rotation and translation.
        identity: (n, I) float32.
        expression: (n, E) float32 in [0, 1].
        residual: (n, K, 3) float32, points minus fit in head space, head units.
    """

    pose: Float32
    identity: Float32
    expression: Float32
    residual: Float32

    def select(self, where: Bools) -> "Fit":
        """The fits at `where` (n,)."""
        return Fit(*(array[where] for array in vars(self).values()))

    def replaced(self, where: Bools, other: "Fit") -> "Fit":
        """A copy in which the fits at `where` (n,) are replaced by the other ones."""
        mine = {name: array.copy() for name, array in vars(self).items()}
        for name, array in mine.items():
            array[where] = getattr(other, name)
        return Fit(**mine)


def fit(
    points: LinearPoints,
    targets: Floats,
    weights: Floats,
    identity_std: Floats,
    options: FitOptions | None = None,
    hints: FitConstraints | None = None,
) -> Fit:
    """Find the pose, identity and expression that map the head's points to their targets.

    Minimises the weighted squared distances, in head space, plus the Gaussian priors of identity and expression.
    Pose (similarity Procrustes) and coefficients (one factorisation for all heads) alternate; expressions are kept
    in [0, 1] by ADMM (Boyd et al., 2011, section 5.2). The unknown depth of a difference is that of the last iteration.

    Args:
        points: K points of the head as a linear function of its coefficients.
        targets: (n, K, 3) their observed positions, image space px.
        weights: (K,) non-negative.
        identity_std: (I,) prior standard deviation.
        options: weight of the points against the prior.
        hints: further observations, and a prior of the expression.

    Returns:
        The fits.
    """
    options = options or FitOptions()
    share = np.asarray(weights, np.float64) / np.sum(weights)
    solver = CoefficientSolver(points, share, np.asarray(identity_std, np.float64), options, hints)
    targets = np.asarray(targets, np.float64)
    coefficients = np.zeros((len(targets), len(points.bases)))
    # Starting from the mean head, whose pose is close enough for the alternation to converge in a few iterations.
    for _ in range(options.iterations):
        shape = _decode(points, coefficients)
        pose = procrustes(shape, targets, share)
        # In head space the coefficients are a linear problem with one matrix for all heads, factorised once.
        seen = to_head(pose, targets)
        differences = None if hints is None else _differences_to_head(pose, hints, coefficients)
        coefficients = solver.solve(seen - points.mean, differences)
    # The last coefficients were found for the pose before them.
    shape = _decode(points, coefficients)
    pose = procrustes(shape, targets, share)
    identity, expression = np.split(coefficients, [points.identities], axis=1)
    residual = to_head(pose, targets) - shape
    return Fit(*(a.astype(np.float32) for a in (pose, identity, expression, residual)))


def procrustes(shape: Floats, targets: Floats, share: Floats) -> Float64:
    """Similarity poses that bring shapes to targets, least squares (Umeyama, 1991).

    Args:
        shape: (n, K, 3) head space.
        targets: (n, K, 3) image space, y down.
        share: (K,) weights that sum to 1.

    Returns:
        (n, 3, 4) float64, head space to image space.
    """
    camera = fit_similarity(shape, targets * FLIP_Y, share)
    return weak_perspective(camera.rotation, camera.scale, camera.translation * FLIP_Y)


def to_head(pose: Floats, points: Floats) -> Float64:
    """Map points (n, K, 3) from image space back to head space by the inverse of similarity poses (n, 3, 4)."""
    linear = np.asarray(pose[..., :3], np.float64)
    # The transpose of a scaled rotation is its inverse times the squared scale.
    squared = np.einsum("nij,nij->n", linear, linear) / 3
    inverse = linear.transpose(0, 2, 1) / squared[:, None, None]
    return np.asarray(np.einsum("nij,nkj->nki", inverse, points - pose[:, None, :, 3], optimize=True))


def _decode(points: LinearPoints, coefficients: Float64) -> Float64:
    flat = coefficients @ points.bases.reshape(len(points.bases), -1)
    shape: Float64 = np.asarray(points.mean + flat.reshape(len(coefficients), *points.mean.shape), np.float64)
    return shape


def _differences_to_head(pose: Float64, hints: FitConstraints, coefficients: Float64) -> Float64:
    """Observed differences (n, D, 3) in head space; their depth is that of the current fit."""
    linear = pose[..., :3]
    camera = np.einsum("nij,nkj->nki", linear, _decode(hints.differences, coefficients), optimize=True)
    camera[..., :2] = hints.targets  # observed in the image, without depth
    # A difference of two points does not move with the head: the pose without its translation.
    return to_head(np.concatenate([linear, np.zeros((len(pose), 3, 1))], axis=2), camera)


def _without_motion(points: LinearPoints, share: Float64, hints: FitConstraints | None) -> tuple[Float64, Float64]:
    """The bases of points (I + E, K * 3) less the small rigid motions of the mean head that they contain.

    Also the bases of the differences (I + E, D * 3), less the same motions.
    """
    # About the weighted centroid, turns and shifts are independent of each other.
    motions = small_motions(points.mean - share @ points.mean)
    bases = _flat(points)
    metric = np.repeat(share, 3)
    amount = np.linalg.solve((motions * metric) @ motions.T, (motions * metric) @ bases.T)
    still = bases - amount.T @ motions
    if hints is None:
        return still, np.zeros((len(bases), 0))
    return still, _flat(hints.differences) - amount.T @ small_motions(hints.differences.mean, 0.0)


def curvature(
    points: LinearPoints,
    weights: Floats,
    identity_std: Floats,
    options: FitOptions,
    hints: FitConstraints | None = None,
) -> Float64:
    """The Hessian (I + E + 7, I + E + 7) of what `fit` minimises, in head units.

    Its rows are the coefficients, then the `small_motions` of the head about its origin. It is evaluated at the mean
    head, as it hardly changes with the coefficients.
    """
    # Neighbouring points err alike: K points count as fewer independent ones.
    trust = options.independent_points / options.noise_mm**2
    share = np.asarray(weights, np.float64) / np.sum(weights)
    rows = np.concatenate([_flat(points), small_motions(points.mean)])
    result: Float64 = (rows * np.repeat(trust * share, 3)) @ rows.T
    prior = _prior(points, identity_std, options, hints)
    result[: len(prior), : len(prior)] += np.diag(prior)
    if hints is not None:
        rows = np.concatenate([_flat(hints.differences), small_motions(hints.differences.mean, 0.0)])
        result += (rows * np.repeat(hints.precision, 3)) @ rows.T
    return result


def _prior(points: LinearPoints, identity_std: Floats, options: FitOptions, hints: FitConstraints | None) -> Float64:
    """Prior precision (I + E,) of the coefficients."""
    expressions = len(points.bases) - points.identities
    std = np.full(expressions, options.expression_std) if hints is None else np.asarray(hints.expression_std)
    return np.asarray(np.r_[np.asarray(identity_std[: points.identities], np.float64) ** -2.0, std**-2.0])


def _flat(points: LinearPoints) -> Float64:
    return points.bases.reshape(len(points.bases), -1).astype(np.float64)


class CoefficientSolver:
    """Solves the quadratic problem in identity and expression, whose matrix is the same for every head.

    Args:
        points: K points of the head.
        share: (K,) weights that sum to 1.
        identity_std: (I,) prior standard deviation.
        options: weight of the points against the prior.
        hints: further observations, and a prior of the expression.

    Attributes:
        hessian: (I + E, I + E) of the problem.
    """

    def __init__(
        self,
        points: LinearPoints,
        share: Float64,
        identity_std: Float64,
        options: FitOptions,
        hints: FitConstraints | None,
    ) -> None:
        trust = options.independent_points / options.noise_mm**2
        # Only what no small motion of the head explains is fitted by coefficients. Otherwise the alternation between
        # pose and coefficients would take hundreds of iterations to converge.
        bases, hinted = _without_motion(points, share, hints)
        self._weighted = (bases * np.repeat(trust * share, 3)).T
        self._identities = points.identities
        self._hints = hints
        self._prior = _prior(points, identity_std, options, hints)
        hessian = bases @ self._weighted + np.diag(self._prior)
        if hints is not None:
            self._weighted_hints = (hinted * np.repeat(hints.precision, 3)).T
            hessian += hinted @ self._weighted_hints
        # The penalty of ADMM is set to the mean curvature along the expressions: much smaller or larger penalties
        # converge slowly.
        self._penalty = float(np.mean(np.diag(hessian)[points.identities :])) if len(bases) > points.identities else 0.0
        self.hessian: Float64 = hessian
        boxed = hessian.copy()
        expression = np.arange(points.identities, len(bases))
        boxed[expression, expression] += self._penalty
        self._inverse = np.linalg.inv(boxed)
        self._steps = options.box_steps

    def solve(self, offsets: Floats, differences: Floats | None = None) -> Float64:
        """Coefficients (n, I + E).

        Args:
            offsets: (n, K, 3) of the points from the mean head, head units.
            differences: (n, D, 3) observed, in head space.
        """
        linear = offsets.reshape(len(offsets), -1) @ self._weighted
        start = self._identities
        if self._hints is not None and differences is not None:
            gap = (differences - self._hints.differences.mean).reshape(len(linear), -1)
            linear += gap @ self._weighted_hints
            linear[:, start:] += self._prior[start:] * self._hints.expression
            if self._hints.identity is not None:
                linear[:, :start] += self._prior[:start] * self._hints.identity
        kept = np.zeros_like(linear[:, start:])
        dual = np.zeros_like(kept)
        for _ in range(self._steps):
            right = linear.copy()
            right[:, start:] += self._penalty * (kept - dual)
            solution = right @ self._inverse
            kept = np.clip(solution[:, start:] + dual, 0.0, 1.0)
            dual += solution[:, start:] - kept
        solution[:, start:] = kept  # exactly within [0, 1], which `solution` is only in the limit
        return np.asarray(solution)
