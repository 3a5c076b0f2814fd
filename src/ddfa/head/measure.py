"""The pose of heads in front of a perspective camera, and the points from which it is measured."""

from typing import Final, NamedTuple

import numpy as np

from ddfa.arrays import Float32, Floats
from ddfa.errors import ImageError
from ddfa.geometry.perspective import Camera, Intrinsics, fit_perspective
from ddfa.head.irises import landmarks_and_irises
from ddfa.head.linear import LinearPoints
from ddfa.head.model import HeadModel

_EVERY: Final = 4  # vertices of the open head's face per point used: 2000 points are as accurate as 8000
_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)  # of the 68 landmarks


class HeadPose(NamedTuple):
    """6-DoF poses of heads in front of a perspective camera; axes as in `ddfa.geometry.perspective`.

    Attributes:
        rotation: (n, 3, 3) float32 head to camera (x right, y up, z to the viewer), determinant +1.
        translation_mm: (n, 3) float32 position of the origin of head space, mm; z < 0.
        distance_mm: (n,) float32 from the camera to the point between the pupils, mm.
        reprojection_error_px: (n,) float32 root mean square distance, over the dense mesh, of the projected head from
            where the network sees it, image px.
    """

    rotation: Float32
    translation_mm: Float32
    distance_mm: Float32
    reprojection_error_px: Float32


def pose_points(head: HeadModel) -> LinearPoints:
    """The points that are fitted to an image: a quarter of the vertices of the face, without hair, neck and mouth.

    Basel heads have no regions but hardly more than the face: all of their vertices are candidates.
    """
    face = head.regions.get("face")
    vertices = np.arange(head.vertices) if face is None or not face.any() else np.flatnonzero(face)
    return head.subset(vertices[:: _EVERY if len(vertices) > 1000 else 1].astype(np.int32))


def pupils(head: HeadModel, identity: Floats) -> Float32:
    """The centres of the pupils, looking straight ahead; for a head without irises the centres of the eyelids.

    Args:
        head: the head model.
        identity: (n, I) coefficients.

    Returns:
        (n, 2, 3) float32 head units: right eye, left eye.
    """
    neutral = np.zeros((len(identity), 0), np.float32)
    points = landmarks_and_irises(head)
    if points is not None:
        return points.decode(identity, neutral)[:, 68:]
    landmarks = head.landmark_points.decode(identity, neutral)
    return np.stack([landmarks[:, _RIGHT_EYE].mean(axis=1), landmarks[:, _LEFT_EYE].mean(axis=1)], axis=1)


def intrinsics_at(camera: Camera, image_size: tuple[int, int]) -> Intrinsics:
    """The intrinsics of a camera for an image of a width and height in px.

    Raises:
        ImageError: they are for another image size.
    """
    try:
        return camera.at(image_size)
    except ValueError as error:
        raise ImageError(str(error)) from None


def head_poses(points: Floats, seen: Floats, eyes: Floats, camera: Camera, image_size: tuple[int, int]) -> HeadPose:
    """Pose heads such that they project to where they are seen.

    Args:
        points: (n, K, 3) of each head, head units; see `pose_points`.
        seen: (n, K, 2) where they are in the image, px.
        eyes: (n, 2, 3) the pupils, head units; they define the scale, `camera.ipd_mm`.
        camera: the camera of the image.
        image_size: width and height, px.

    Raises:
        ImageError: the intrinsics of the camera are for another image size.
    """
    intrinsics = intrinsics_at(camera, image_size)
    pupils_mm = np.asarray(eyes, np.float64)
    millimetres = camera.ipd_mm / np.linalg.norm(pupils_mm[:, 0] - pupils_mm[:, 1], axis=1)
    fitted = [fit_perspective(unit * k, at, intrinsics) for unit, k, at in zip(millimetres, points, seen, strict=True)]
    rotation = np.array([pose.rotation for pose in fitted]).reshape(-1, 3, 3)
    translation = np.array([pose.translation for pose in fitted]).reshape(-1, 3)
    between = np.einsum("nij,nj->ni", rotation, pupils_mm.mean(axis=1) * millimetres[:, None]) + translation
    return HeadPose(
        rotation.astype(np.float32),
        translation.astype(np.float32),
        np.linalg.norm(between, axis=1).astype(np.float32),
        np.array([pose.error for pose in fitted], np.float32),
    )
