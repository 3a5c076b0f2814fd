"""Pose and expression of a face in image space, independent of its RoI."""

from dataclasses import dataclass, replace

import numpy as np

from ddfa.arrays import Float32, Float64, Floats
from ddfa.faces import Faces
from ddfa.geometry.camera import FLIP_Y_MATRIX
from ddfa.geometry.pose import decompose


@dataclass(frozen=True, eq=False)
class Motion:
    """Pose and expression of one face.

    Convention:
        A head-space point X is at ``scale * diag(1, -1, 1) @ rotation @ stretch @ X + translation`` in the image.

    Attributes:
        rotation: (3, 3) head to camera, y up.
        scale: image px per head unit.
        translation: (3,) image px.
        stretch: (3, 3) by how much the regressed matrix differs from a scaled rotation; close to the identity matrix.
        expression: (E,) coefficients.
    """

    rotation: Float64
    scale: float
    translation: Float64
    stretch: Float64
    expression: Float64

    @property
    def matrix(self) -> Float64:
        """(3, 3) image px per head unit."""
        return np.asarray(self.scale * FLIP_Y_MATRIX @ self.rotation @ self.stretch)


def motion_of(face: Faces) -> Motion:
    """The motion of a result with one face."""
    pose = face.layout.split(face.params).pose
    camera = decompose(pose)
    rotation = camera.rotation[0]
    return Motion(
        rotation=rotation,
        scale=float(face.scale[0]),
        translation=np.asarray(face.translation[0], np.float64),
        stretch=np.asarray(rotation.T @ pose[0, :, :3] / camera.scale[0]),
        expression=np.asarray(face.expression[0], np.float64),
    )


def moved(face: Faces, motion: Motion, identity: Floats) -> Faces:
    """Replace motion and identity of a face and keep its RoI: the inverse of `motion_of`.

    Args:
        face: a result with one face.
        motion: the new one.
        identity: (I,) coefficients.

    Returns:
        The face; its box fits the new landmarks.
    """
    side = float(face.roi[0, 2] - face.roi[0, 0])
    linear = motion.scale * face.crop_size / side * motion.rotation @ motion.stretch
    offset = face.convention.to_crop(motion.translation[None, None], face.roi, face.crop_size)[0, 0]
    pose = np.concatenate([linear, offset[:, None]], axis=1)
    params = face.layout.join(pose[None], np.asarray(identity)[None], motion.expression[None])
    changed = replace(face, params=params)
    return replace(changed, boxes=boxes_around(changed.landmarks68))


def boxes_around(landmarks: Floats) -> Float32:
    """Boxes (n, 4) around landmarks (n, 68, 2 or 3)."""
    points = np.asarray(landmarks, np.float32)[..., :2]
    return np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
