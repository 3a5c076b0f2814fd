"""Our head fitted to the predictions of teachers and to human landmarks."""

import numpy as np

from ddfa.arrays import Float32, Floats
from ddfa.data.pseudo_labels.fit import Fit, FitOptions, fit
from ddfa.data.pseudo_labels.human_landmarks import fit_annotated
from ddfa.data.pseudo_labels.mesh_constraints import mesh_constraints
from ddfa.data.pseudo_labels.mesh_teacher import MeshView
from ddfa.data.pseudo_labels.points_fit import WEIGHT, fit_points
from ddfa.data.pseudo_labels.teacher_map import TeacherMap
from ddfa.head.model import HeadModel


def fit_observations(
    mapping: TeacherMap,
    head: HeadModel,
    seen: Float32,
    options: FitOptions | None = None,
    mesh: MeshView | None = None,
    human: Floats | None = None,
    inner: Floats | None = None,
    inner_weight: float = WEIGHT,
) -> Fit:
    """Fit our head to the predictions of teachers, and to face mesh, inner points and human landmarks if there are any.

    Args:
        mapping: from the teacher's points to ours.
        head: our head.
        seen: (n, 2, K, 3), see `observe`.
        options: weight of the points against the prior.
        mesh: of the same photos. Where it is reliable it determines eyelids, gaze, lips and most expressions; the other
            photos are fitted without it.
        human: (n, 68, 2) annotations of the same photos, image px, NaN for photos without.
        inner: (n, 51, 2) inner landmarks of the same photos that points teachers predict, image px.
        inner_weight: of these in the mixture with the fitted ones.
    """
    centred = seen.copy()
    centred[..., 2] -= centred[..., 2].mean(axis=2, keepdims=True)  # the depth origin is arbitrary in each view
    targets = centred.reshape(len(seen), -1, 3)
    options = options or FitOptions()
    found = fit(mapping.own, targets, mapping.weights, head.identity_std, options)
    trusted, hints = np.zeros(len(seen), bool), None
    # Mesh and human annotations are better on eyelids and lips than the teachers, which then have no weight there.
    weights = np.where(mapping.lids_and_lips, 0, mapping.weights)
    if mesh is not None:
        hints, trusted = mesh_constraints(head, found, mesh, options.expression_std)
    if hints is not None and trusted.any():
        second = fit(mapping.own, targets[trusted], weights, head.identity_std, options, hints)
        found = found.replaced(trusted, second)
    if inner is not None:
        found = fit_points(head, found, inner, inner_weight)
    if human is None:
        return found
    # Photos are fitted in two groups, because all photos of one fit have the same constraints.
    annotated = np.isfinite(human).all(axis=(1, 2))
    for group, more in ((annotated & trusted, hints), (annotated & ~trusted, None)):
        if group.any():
            if more is not None:
                more = more.select(group[trusted])
            third = fit_annotated(
                mapping.own, targets[group], weights, head, found.select(group), human[group], options, more
            )
            found = found.replaced(group, third)
    return found


def fit_error(found: Fit, mapping: TeacherMap) -> Float32:
    """Weighted mean residual (n,) of a fit, as a share of the size of the mean head."""
    distance = np.linalg.norm(found.residual, axis=-1) @ (mapping.weights / mapping.weights.sum())
    size = np.sqrt(np.prod(np.ptp(mapping.own.mean[:, :2], axis=0)))
    return np.asarray(distance / size, np.float32)
