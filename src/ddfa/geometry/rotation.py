"""Rotations as vectors, quaternions, and as turn, nod and tilt: forms that stay continuous at a yaw of ±90°.

Turn, nod and tilt are where the face points, as longitude and latitude, and how it is rolled about that direction:
``R = Ry(turn) @ Rx(nod) @ Rz(tilt)`` with the matrices and signs of `ddfa.geometry.pose`; for rotations about one axis
they are yaw, pitch and roll. The Euler angles of 300W-LP have the order ``Rx @ Ry @ Rz`` and flip pitch and roll at a
yaw of ±90°, that is for profiles; turn, nod and tilt flip only where a face looks straight up or down.
"""

import numpy as np

from ddfa.arrays import Float64, Floats


def matrix_from_vector(vector: Floats) -> Float64:
    """Build rotations from rotation vectors (Rodrigues' formula).

    Args:
        vector: (..., 3) axis times angle, radians, counter-clockwise seen against the axis.

    Returns:
        (..., 3, 3) float64.
    """
    v = np.asarray(vector, np.float64)
    squared = np.square(v).sum(axis=-1)[..., None, None]
    angle = np.sqrt(squared)
    small = angle < 1e-4
    safe = np.where(small, 1.0, angle)
    sine = np.where(small, 1 - squared / 6, np.sin(safe) / safe)
    cosine = np.where(small, 0.5 - squared / 24, (1 - np.cos(safe)) / safe**2)
    x, y, z = np.moveaxis(v, -1, 0)
    zero = np.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    cross = np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
    return np.asarray(np.eye(3) + sine * cross + cosine * (cross @ cross))


def quaternion_from_matrix(rotation: Floats) -> Float64:
    """Compute unit quaternions of rotations, w >= 0.

    Args:
        rotation: (..., 3, 3).

    Returns:
        (..., 4) float64 x, y, z, w, as in glTF and SciPy.
    """
    R = np.asarray(rotation, np.float64)
    xx, yy, zz = R[..., 0, 0], R[..., 1, 1], R[..., 2, 2]
    # Rows of 4 q q^T, one per component that may be the largest: dividing by that one is accurate (Shepperd 1978).
    yz, zx, xy = R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]
    syz, szx, sxy = R[..., 2, 1] + R[..., 1, 2], R[..., 0, 2] + R[..., 2, 0], R[..., 1, 0] + R[..., 0, 1]
    rows = [
        [1 + xx - yy - zz, sxy, szx, yz],
        [sxy, 1 - xx + yy - zz, syz, zx],
        [szx, syz, 1 - xx - yy + zz, xy],
        [yz, zx, xy, 1 + xx + yy + zz],
    ]
    products = np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
    largest = np.argmax(np.diagonal(products, axis1=-2, axis2=-1), axis=-1)
    row = np.take_along_axis(products, largest[..., None, None], axis=-2)[..., 0, :]
    quaternion = row / np.linalg.norm(row, axis=-1, keepdims=True)
    return np.asarray(np.where(quaternion[..., 3:] < 0, -quaternion, quaternion))


def vector_from_matrix(rotation: Floats) -> Float64:
    """Compute rotation vectors: the inverse of `matrix_from_vector`.

    Args:
        rotation: (..., 3, 3).

    Returns:
        (..., 3) float64 radians, of length at most pi.
    """
    quaternion = quaternion_from_matrix(rotation)
    sine = np.linalg.norm(quaternion[..., :3], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, quaternion[..., 3:])
    factor = np.where(sine < 1e-12, 2.0, angle / np.maximum(sine, 1e-12))
    return np.asarray(factor * quaternion[..., :3])


def turn_nod_tilt_from_matrix(rotation: Floats) -> Float64:
    """Compute turn, nod and tilt (see the module).

    Where the face looks straight up or down, only the sum or difference of turn and tilt is defined; tilt is then 0.

    Args:
        rotation: (..., 3, 3) head to camera, y up.

    Returns:
        (..., 3) float64 degrees: turn and tilt in [-180, 180], nod in [-90, 90]. Signs as those of yaw, pitch and roll.
    """
    R = np.asarray(rotation, np.float64)
    nod = np.arcsin(np.clip(R[..., 1, 2], -1.0, 1.0))
    locked = np.hypot(R[..., 0, 2], R[..., 2, 2]) < 1e-7
    turn = np.where(locked, np.arctan2(R[..., 2, 0], R[..., 0, 0]), np.arctan2(-R[..., 0, 2], R[..., 2, 2]))
    tilt = np.where(locked, 0.0, np.arctan2(-R[..., 1, 0], R[..., 1, 1]))
    return np.asarray(np.rad2deg(np.stack([turn, nod, tilt], axis=-1)))


def matrix_from_turn_nod_tilt(angles_deg: Floats) -> Float64:
    """Build rotations from turn, nod and tilt: the inverse of `turn_nod_tilt_from_matrix`.

    Args:
        angles_deg: (..., 3) degrees.

    Returns:
        (..., 3, 3) float64.
    """
    turn, nod, tilt = np.moveaxis(np.deg2rad(np.asarray(angles_deg, np.float64)), -1, 0)
    ct, st, cn, sn, cr, sr = (f(a) for a in (turn, nod, tilt) for f in (np.cos, np.sin))
    # Ry(turn) · Rx(nod) · Rz(tilt) in closed form.
    rows = [
        [ct * cr - st * sn * sr, ct * sr + st * sn * cr, -st * cn],
        [-cn * sr, cn * cr, sn],
        [st * cr + ct * sn * sr, st * sr - ct * sn * cr, ct * cn],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
