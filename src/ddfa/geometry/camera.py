"""Weak-perspective projection and the axis flip between camera axes and image space.

Convention:
    Camera axes are right-handed with y up and z towards the viewer; image space has y down. Both have the same
    unit, usually pixels, so negating y (`FLIP_Y`) maps one to the other up to a translation.
"""

from typing import Final

import numpy as np

from ddfa.arrays import Float32, Float64, Floats

# Float32, so that products with float32 vertices stay float32; ±1 is exact in any precision.
FLIP_Y: Final[Float32] = np.array([1, -1, 1], np.float32)
FLIP_Y_MATRIX: Final[Float64] = np.diag([1.0, -1.0, 1.0])


def project(points: Floats, pose: Floats) -> Floats:
    """Apply affine camera matrices: x -> P x + t.

    Args:
        points: (..., K, 3), usually in head space.
        pose: (..., 3, 4) matrices [P | t]; leading axes equal to those of `points` or broadcast with them.

    Returns:
        (..., K, 3) in the frame that the matrices map to; the wider dtype of both arguments.
    """
    linear, shift = pose[..., :3], pose[..., None, :, 3]
    # Points are rows, so P x becomes x P^T: one matrix product per face, without homogeneous copies of the points.
    return np.asarray(points @ np.swapaxes(linear, -1, -2) + shift)


def weak_perspective(rotation: Floats, scale: Floats, translation: Floats) -> Float64:
    """Build matrices from head space to image space: [s · diag(1, -1, 1) · R | t].

    Args:
        rotation: (..., 3, 3) head to camera, y up.
        scale: (...,) image px per head unit.
        translation: (..., 3) image px, y down.

    Returns:
        (..., 3, 4) float64.
    """
    # The flip is part of the matrix, so that `project` needs no second pass over the points.
    linear = np.asarray(scale, np.float64)[..., None, None] * (FLIP_Y_MATRIX @ rotation)
    return np.concatenate([linear, np.asarray(translation, np.float64)[..., None]], axis=-1)
