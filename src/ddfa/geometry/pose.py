"""Weak-perspective pose: rotation, scale, translation and Euler angles.

Convention:
    A rotation maps head axes to camera axes, both right-handed: x to the image right, y up, z towards the
    viewer. Angles are in degrees, in the order (yaw, pitch, roll) of 300W-LP and AFLW2000-3D,
    ``R = Rx(pitch) @ Ry(yaw) @ Rz(roll)`` with

        Rx = [1 0 0; 0 c s; 0 -s c]    Ry = [c 0 -s; 0 1 0; s 0 c]    Rz = [c s 0; -s c 0; 0 0 1]

    Signs in the image: yaw < 0 faces the image right, pitch > 0 looks up, roll > 0 tilts clockwise.
"""

from typing import NamedTuple

import numpy as np

from ddfa.arrays import Float64, Floats


class WeakPerspective(NamedTuple):
    """A batch of weak-perspective cameras, as returned by `decompose`.

    Attributes:
        scale: (n,) float64, crop pixels per head unit.
        rotation: (n, 3, 3) float64, head to camera (y up), orthogonal with determinant +1.
        translation: (n, 3) float64, crop pixels, y up.
    """

    scale: Float64
    rotation: Float64
    translation: Float64


def matrix_from_euler(euler_deg: Floats) -> Float64:
    """Build rotations from Euler angles.

    Args:
        euler_deg: (..., 3) yaw, pitch, roll in degrees, 300W-LP convention (see the module).

    Returns:
        (..., 3, 3) float64 rotation matrices.
    """
    yaw, pitch, roll = np.moveaxis(np.deg2rad(np.asarray(euler_deg, np.float64)), -1, 0)
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    # The product Rx·Ry·Rz in closed form: for a batch far cheaper than three stacks of matrices and two products.
    rows = [
        [cy * cr, cy * sr, -sy],
        [sp * sy * cr - cp * sr, sp * sy * sr + cp * cr, sp * cy],
        [cp * sy * cr + sp * sr, cp * sy * sr - sp * cr, cp * cy],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def in_plane_deg(rotation: Floats) -> Float64:
    """Compute how far heads are tilted in the image plane: the direction of their vertical axis in the image.

    Unlike the Euler angle roll it is continuous at yaw ±90°: an upright profile has 0. It is the angle about the
    camera's axis, by which an image has to be turned; the tilt of `ddfa.geometry.rotation` is about the head's axis.

    Args:
        rotation: (..., 3, 3) rotation matrices.

    Returns:
        (...,) float64 degrees in -180..180, clockwise positive.
    """
    R = np.asarray(rotation, np.float64)
    angle: Float64 = np.rad2deg(np.arctan2(R[..., 0, 1], R[..., 1, 1]))
    return angle


def in_plane_matrix(angle_deg: Floats) -> Float64:
    """Build rotations in the image plane, which add to `in_plane_deg` when multiplied from the left.

    Args:
        angle_deg: (n,) degrees, clockwise in the image.

    Returns:
        (n, 3, 3) float64, in camera axes (y up).
    """
    angle = np.deg2rad(np.asarray(angle_deg, np.float64))
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., 0, 0] = matrix[..., 1, 1] = np.cos(angle)
    matrix[..., 0, 1], matrix[..., 1, 0], matrix[..., 2, 2] = np.sin(angle), -np.sin(angle), 1
    return matrix


def euler_from_matrix(rotation: Floats) -> Float64:
    """Compute the Euler angles of rotations: the exact inverse of `matrix_from_euler`.

    At yaw = ±90° (gimbal lock) only pitch ∓ roll is defined; roll is then 0.

    Args:
        rotation: (..., 3, 3) rotation matrices.

    Returns:
        (..., 3) float64 yaw in [-90, 90], pitch and roll in [-180, 180], degrees.
    """
    # Float64: arcsin is steep near ±1, where float32 rounding of the sine alone would cost 0.02°.
    R = np.asarray(rotation, np.float64)
    yaw = np.arcsin(np.clip(-R[..., 0, 2], -1.0, 1.0))  # rounding can push the sine of an exact rotation beyond 1
    # cos(yaw): where it vanishes, so do the entries from which pitch and roll are read separately.
    locked = np.hypot(R[..., 0, 0], R[..., 0, 1]) < 1e-7
    pitch = np.where(
        locked,
        np.arctan2(-R[..., 2, 1], R[..., 1, 1]),
        np.arctan2(R[..., 1, 2], R[..., 2, 2]),
    )
    roll = np.where(locked, 0.0, np.arctan2(R[..., 0, 1], R[..., 0, 0]))
    euler: Float64 = np.rad2deg(np.stack([yaw, pitch, roll], axis=-1))
    return euler


def nearest_rotation(matrix: Floats) -> Float64:
    """Project matrices onto the rotations (least squares, by SVD).

    Args:
        matrix: (..., 3, 3) of any scale.

    Returns:
        (..., 3, 3) float64, orthogonal with determinant +1.
    """
    U, _, Vt = np.linalg.svd(np.asarray(matrix, np.float64))
    # The nearest orthogonal matrix can be a reflection. Singular values are in descending order, so negating the last
    # direction is the cheapest way to a rotation.
    U[..., :, 2] *= np.linalg.det(U @ Vt)[..., None]
    return np.asarray(U @ Vt)


def decompose(pose: Floats) -> WeakPerspective:
    """Split camera matrices [P | t] into scale, rotation and translation.

    The scale is the mean length of the first two rows of P, those of image x and y; the rotation is the one
    nearest to P.

    Args:
        pose: (n, 3, 4) P in crop pixels per head unit, t in crop pixels.

    Returns:
        The cameras, float64.
    """
    matrix: Float64 = np.asarray(pose, np.float64)
    P = matrix[..., :3]
    # Without the third row: it scales depth, which a weak-perspective image does not constrain.
    scale = np.linalg.norm(P[..., :2, :], axis=-1).mean(axis=-1)
    return WeakPerspective(scale, nearest_rotation(P), matrix[..., 3])


def compose(scale: Floats, rotation: Floats, translation: Floats) -> Float64:
    """Build camera matrices [s·R | t]: the inverse of `decompose`.

    Args:
        scale: (n,) crop pixels per head unit.
        rotation: (n, 3, 3) head to camera.
        translation: (n, 3) crop pixels, y up.

    Returns:
        (n, 3, 4) float64.
    """
    P = np.asarray(scale, np.float64)[..., None, None] * rotation
    return np.concatenate([P, np.asarray(translation, np.float64)[..., None]], axis=-1)


def original_rotation(pose: Floats) -> Float64:
    """Build the matrix from which the original 3DDFA computes its angles: not exactly a rotation.

    Rows 1 and 2 of P are normalised but not orthogonalised, row 3 is their cross product.

    Args:
        pose: (n, 3, 4) camera matrices.

    Returns:
        (n, 3, 3) float64.
    """
    P = np.asarray(pose, np.float64)[..., :2, :3]
    rows = P / np.linalg.norm(P, axis=-1, keepdims=True)
    third = np.cross(rows[..., 0, :], rows[..., 1, :])
    return np.concatenate([rows, third[..., None, :]], axis=-2)


def original_euler(rotation: Floats) -> Float64:
    """Compute the angles that the original 3DDFA_V2 prints; for comparison only.

    Compared with the 300W-LP labels, pitch and roll have the opposite sign and combined rotations are wrong
    (45.8/11.5/17.2° becomes 46.9/1.5/-13.0°). Use `euler_from_matrix` for everything else.

    Args:
        rotation: (..., 3, 3), see `original_rotation`.

    Returns:
        (..., 3) float64 "yaw, pitch, roll" in degrees.
    """
    R = np.asarray(rotation, np.float64)
    # The original assumes the order Rz·Ry·Rx and therefore reads the transposed entries.
    sine = R[..., 2, 0]
    locked, sign = np.abs(sine) > 0.998, np.sign(sine)  # its threshold for gimbal lock, 86.4°
    yaw = np.where(locked, sign * np.pi / 2, np.arcsin(np.clip(sine, -1.0, 1.0)))
    pitch = np.where(
        locked,
        np.arctan2(-sign * R[..., 0, 1], -sign * R[..., 0, 2]),
        np.arctan2(R[..., 2, 1], R[..., 2, 2]),
    )
    roll = np.where(locked, 0.0, np.arctan2(R[..., 1, 0], R[..., 0, 0]))
    euler: Float64 = np.rad2deg(np.stack([yaw, pitch, roll], axis=-1))
    return euler


def small_motions(points: Floats, shift: float = 1.0) -> Float64:
    """Linearise a similarity transform at the identity: how points move under each of its seven parameters.

    Args:
        points: (K, 3).
        shift: displacement per unit of translation; 0 where `points` are differences, which translations do not change.

    Returns:
        (7, K * 3) float64: displacements of all points per radian about x, y and z, per unit of translation along
        them, and per unit of scale.
    """
    axes = np.eye(3)
    rotations = [np.cross(axis, points) for axis in axes]  # the derivative of a rotation by its angle, at angle 0
    translations = [np.broadcast_to(shift * axis, points.shape) for axis in axes]
    return np.stack([*rotations, *translations, points]).reshape(7, -1).astype(np.float64)
