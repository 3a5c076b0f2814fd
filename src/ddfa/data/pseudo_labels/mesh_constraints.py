"""Constraints that the face mesh adds to a fit: eyelids, gaze, lips, and a prior of the expressions."""

import numpy as np

from ddfa.arrays import Bools, Float64, Floats
from ddfa.data.pseudo_labels.fit import Fit, FitConstraints
from ddfa.data.pseudo_labels.mesh_points import DIFFERENCES, OBSERVED_POINTS, head_differences, observed_differences
from ddfa.data.pseudo_labels.mesh_teacher import MeshView
from ddfa.head.model import HeadModel

# Expressions with informative scores, by the start of their names: (prior standard deviation, score at rest).
_SCORED = {
    "eyeBlink": (0.4, 0.0),
    "eyeLook": (0.25, 0.0),
    "eyeSquint": (0.2, 0.3),
    "eyeWide": (0.2, 0.0),
    "browDown": (0.3, 0.1),
    "browInnerUp": (0.3, 0.0),
    "browOuterUp": (0.3, 0.0),
    "jawOpen": (0.3, 0.0),
    "mouthSmile": (0.3, 0.0),
    "mouthPucker": (0.3, 0.0),
    "mouthFunnel": (0.3, 0.0),
    "mouthPress": (0.3, 0.0),
    "mouthRoll": (0.3, 0.0),
    "mouthUpperUp": (0.3, 0.0),
    "mouthLowerDown": (0.3, 0.0),
}
# Limits for a reliable mesh: probability of a face, degrees, mean distance of rigid points from the fit in head units.
_MIN_PRESENCE, _MAX_YAW_DEG, _MAX_DISTANCE = 0.9, 40.0, 8.0
_RIGID = (31, 33, 35, 36, 39, 42, 45, 48, 54)


def expression_prior(names: tuple[str, ...], scores: Floats, std: float) -> tuple[Float64, Float64]:
    """Prior mean (n, E) and standard deviation (E,) of expressions, from scores (n, E).

    Args:
        names: of the expressions.
        scores: from the mesh teacher.
        std: of expressions with uninformative scores; their mean is 0.
    """
    mean, deviation = np.zeros(scores.shape), np.full(len(names), std)
    for number, name in enumerate(names):
        for start, (trust, rest) in _SCORED.items():
            if name.startswith(start):
                deviation[number] = trust
                # The teacher's score of a face at rest is not 0.
                mean[:, number] = np.clip((scores[:, number] - rest) / (1 - rest), 0, 1)
    return mean, deviation


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
    mean, deviation = expression_prior(head.expression_names, mesh.scores[trusted], std)
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
    return np.asarray((mesh.presence > _MIN_PRESENCE) & (distance < _MAX_DISTANCE) & (turned < _MAX_YAW_DEG), bool)


def yaw_degrees(pose: Floats) -> Float64:
    """Yaw (n,) in degrees of poses (n, 3, 4): angle between the forward axis and the viewing direction, by x."""
    forward = pose[:, :, 2] / np.linalg.norm(pose[:, :, 2], axis=1, keepdims=True)
    return np.asarray(np.degrees(np.arctan2(forward[:, 0], forward[:, 2])))
