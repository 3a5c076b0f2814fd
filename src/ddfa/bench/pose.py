"""Head pose accuracy: absolute error per angle, and geodesic angle between rotations."""

import numpy as np

from ddfa.arrays import Bools, Float64, Floats
from ddfa.bench.predict import Predictions
from ddfa.bench.report import Scores
from ddfa.bench.sets import AnnotatedSet
from ddfa.geometry.pose import euler_from_matrix, matrix_from_euler, nearest_rotation

ANGLES = ("yaw", "pitch", "roll")


def within(euler_deg: Floats, limit_deg: float) -> Bools:
    """Select the faces (n, 3) of known yaw that have no known angle beyond ±limit.

    The literature excludes the 31 faces of AFLW2000-3D with an angle beyond ±99°, where Euler angles are ambiguous.
    """
    beyond = (np.abs(euler_deg) > limit_deg).any(axis=1)
    return np.asarray(~beyond & ~np.isnan(euler_deg[:, 0]))


def score_pose(found: Predictions, data: AnnotatedSet, *, align: bool = False) -> list[Scores]:
    """Score head pose, in degrees.

    Args:
        found: the predictions.
        data: with true angles; unknown ones (NaN) are not scored.
        align: first remove the common rotation of the head's axes that fits the set best: head models differ in their
            frontal direction.

    Returns:
        The absolute error of each known angle; if all three are known also their mean, and the angle of the rotation
        between predicted and true pose.
    """
    truth = np.asarray(data.euler_deg, np.float64)[found.index]
    known: Bools = np.asarray(~np.isnan(truth).any(axis=0))
    rotation = np.asarray(found.rotation, np.float64)
    if align and known.all() and len(truth):
        rotation = rotation @ common_rotation(rotation, matrix_from_euler(truth))
    errors = angle_difference(euler_from_matrix(rotation), truth)
    columns = {name: errors[:, k] for k, name in enumerate(ANGLES) if known[k]}
    if known.all():
        columns["mean of angles"] = errors.mean(axis=1)
        columns["rotation"] = rotation_angle(rotation, matrix_from_euler(truth))
    return [Scores(found.model, values, truth[:, 0], found.missed, name) for name, values in columns.items()]


def angle_difference(first_deg: Floats, second_deg: Floats) -> Float64:
    """Absolute difference of angles, in [0, 180] degrees; any shape."""
    difference = np.asarray(first_deg, np.float64) - second_deg
    return np.asarray(np.abs((difference + 180) % 360 - 180))


def rotation_angle(first: Floats, second: Floats) -> Float64:
    """Geodesic angle in degrees (n,) between rotations (n, 3, 3)."""
    trace = np.einsum("nij,nij->n", first, second)
    return np.asarray(np.rad2deg(np.arccos(np.clip((trace - 1) / 2, -1, 1))))


def common_rotation(predicted: Floats, truth: Floats) -> Float64:
    """The rotation Q (3, 3) for which predicted @ Q is nearest to the truth, both (n, 3, 3)."""
    return nearest_rotation(np.einsum("nki,nkj->ij", predicted, truth))
