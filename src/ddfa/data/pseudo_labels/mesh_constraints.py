"""Constraints that the face mesh adds to a fit: eyelids, gaze, lips, and targets of the expressions."""

import numpy as np

from ddfa.arrays import Bools, Float64, Floats
from ddfa.data.pseudo_labels.fit import Fit, FitConstraints
from ddfa.data.pseudo_labels.mesh_points import DIFFERENCES, OBSERVED_POINTS, head_differences, observed_differences
from ddfa.data.pseudo_labels.mesh_scores import MAX_YAW_DEG, MIN_PRESENCE, expression_targets
from ddfa.data.pseudo_labels.mesh_teacher import MeshView
from ddfa.head.model import HeadModel

_MAX_DISTANCE = 8.0  # of a reliable mesh: mean distance of rigid points from the fit, head units
_RIGID = (31, 33, 35, 36, 39, 42, 45, 48, 54)


def mesh_constraints(head: HeadModel, first: Fit, mesh: MeshView, std: float) -> tuple[FitConstraints, Bools]:
    """The constraints from the mesh, and the fits that they apply to.

    Args:
        head: our head.
        first: n fits without the mesh; they convert millimetres to px, and the mesh must agree with their positions.
        mesh: of the same n photos.
        std: prior standard deviation of expressions without informative scores.

    Returns:
        The constraints for the m photos whose mesh is reliable, and a mask of these photos, (n,) bool.
    """
    trusted = _trusted(head, first, mesh)
    gain = np.array([row.gain for row in DIFFERENCES])[:, None]
    shift = np.array([[*row.shift, 0.0] for row in DIFFERENCES])
    # Systematic offsets between the mesh and our points are known in the head, not in the image.
    linear = first.pose[trusted, :2, :3]
    targets = observed_differences(mesh.points[trusted]) * gain + np.einsum("nij,dj->ndi", linear, shift)
    precision = np.array([row.noise**-2.0 for row in DIFFERENCES])
    mean, deviation = expression_targets(head.expression_names, mesh.scores[trusted], std)
    return FitConstraints(head_differences(head), targets, precision, mean, deviation), trusted


def _trusted(head: HeadModel, first: Fit, mesh: MeshView) -> Bools:
    """Photos (n,) in which the mesh teacher finds a face, in the position of the fit and with both eyes visible."""
    compared = [number for number, point in enumerate(OBSERVED_POINTS) if point in _RIGID]
    # Points that hardly move with the expression: what remains of their distance is a mesh on another face or astray.
    rigid = head.decode_landmarks(first.identity, first.expression)[:, [OBSERVED_POINTS[number] for number in compared]]
    fitted = np.einsum("nij,nkj->nki", first.pose[:, :2, :3], rigid) + first.pose[:, None, :2, 3]
    size = np.linalg.norm(first.pose[:, 0, :3], axis=1)
    distance = np.linalg.norm(mesh.points[:, compared] - fitted, axis=-1).mean(axis=1) / size
    turned = np.abs(yaw_degrees(first.pose))
    return np.asarray((mesh.presence > MIN_PRESENCE) & (distance < _MAX_DISTANCE) & (turned < MAX_YAW_DEG), bool)


def yaw_degrees(pose: Floats) -> Float64:
    """Yaw (n,) in degrees of poses (n, 3, 4): angle between the forward axis and the viewing direction, by x."""
    forward = pose[:, :, 2] / np.linalg.norm(pose[:, :, 2], axis=1, keepdims=True)
    return np.asarray(np.degrees(np.arctan2(forward[:, 0], forward[:, 2])))
