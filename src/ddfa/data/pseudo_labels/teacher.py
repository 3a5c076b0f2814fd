"""A pretrained network as a teacher: its predictions for a photo, averaged over several views of it."""

from dataclasses import dataclass

import cv2
import numpy as np

from ddfa.arrays import Float32, Float64, Floats, UInt8
from ddfa.geometry.camera import project
from ddfa.geometry.roi import crop_matrix
from ddfa.head.linear import LinearPoints
from ddfa.regress.convention import PixelConvention
from ddfa.regress.session import Regressor

# Bias in crop px of the original V2 mb1 against the human annotation of 300-W (a training set): eyes, nose and mouth
# are too high. In x, mirrored views cancel the bias.
_ORIGINAL_Y_SHIFT = 0.5


@dataclass(frozen=True)
class View:
    """One way to crop a photo: rotated about the RoI centre and optionally mirrored."""

    roll_deg: float
    mirrored: bool

    def affine(self, roi: Floats, size: int) -> Float64:
        """(2, 3) map from image px to crop px; contains the reflection of x where the view is mirrored."""
        upright = np.vstack([crop_matrix(roi, size)[0], [0, 0, 1]])
        angle, centre = np.deg2rad(self.roll_deg), (size - 1) / 2
        linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        if self.mirrored:
            linear = np.diag([-1.0, 1.0]) @ linear
        about_centre = np.column_stack([linear, centre - linear @ [centre, centre]])
        return np.asarray(about_centre @ upright)


DEFAULT_VIEWS = tuple(View(roll, mirrored) for mirrored in (False, True) for roll in (-20.0, 0.0, 20.0))


@dataclass(eq=False)
class Teacher:
    """A regressor evaluated at some points of its own head model.

    Attributes:
        regressor: the network.
        points: K points of its head model.
        views: the crops whose median is used; both unmirrored and mirrored ones.
    """

    regressor: Regressor
    points: LinearPoints
    views: tuple[View, ...] = DEFAULT_VIEWS

    def observe(self, photos: list[UInt8], rois: Floats) -> tuple[Float32, Float32]:
        """Predict the teacher's points in photos and in their mirror images.

        Args:
            photos: n images (H, W, 3) uint8 RGB.
            rois: (n, 4) squares in image px.

        Returns:
            (n, 2, K, 3) float32 image px (z from an arbitrary origin): medians over the unmirrored views, and over the
            mirrored views mapped back into the photo; point k of the latter is the mirror image of point k on
            the head. And (n,) float32, the mean spread of the views as a share of the face size.
        """
        size = self.regressor.bundle.input_size
        affines = [[view.affine(roi, size) for view in self.views] for roi in rois]
        crops = [
            cv2.warpAffine(photo, affine, (size, size), flags=cv2.INTER_LINEAR)
            for photo, own in zip(photos, affines, strict=True)
            for affine in own
        ]
        params = self.regressor.params_from_crops(np.asarray(crops, np.uint8))
        seen = self._in_crop(params).reshape(len(photos), len(self.views), -1, 3)
        for own, face in zip(affines, seen, strict=True):
            for affine, points in zip(own, face, strict=True):
                points[:] = _undo(affine, points)
        plain = np.array([not view.mirrored for view in self.views])
        medians = np.stack([np.median(seen[:, plain], axis=1), np.median(seen[:, ~plain], axis=1)], axis=1)
        spread = np.maximum(_spread(seen[:, plain], medians[:, 0]), _spread(seen[:, ~plain], medians[:, 1]))
        return medians.astype(np.float32), spread.astype(np.float32)

    def _in_crop(self, params: Float32) -> Float64:
        """Points (m, K, 3) in crop px, y down, mean depth 0."""
        bundle = self.regressor.bundle
        pose, identity, expression = bundle.layout.split(params)
        shape = self.points.decode(identity, expression).astype(np.float64)
        camera = project(shape, pose)
        size = bundle.input_size
        # For an RoI of the size of the crop, image px are crop px; our convention counts from the edge of the RoI.
        corner = -0.5 if bundle.convention is PixelConvention.OPEN else 0.0
        roi = np.tile([corner, corner, corner + size, corner + size], (len(params), 1))
        crop = bundle.convention.to_image(camera, roi, size).astype(np.float64)
        if bundle.convention.is_original:
            crop[..., 1] += _ORIGINAL_Y_SHIFT
        crop[..., 2] -= crop[..., 2].mean(axis=1, keepdims=True)
        return crop


def _undo(affine: Float64, points: Floats) -> Float64:
    """Map crop points (K, 3) back to the photo; depth is scaled by the same factor."""
    linear = affine[:, :2]
    zoom = np.sqrt(abs(np.linalg.det(linear)))
    flat = (points[:, :2] - affine[:, 2]) @ np.linalg.inv(linear).T
    return np.column_stack([flat, points[:, 2] / zoom])


def _spread(seen: Floats, median: Floats) -> Float64:
    """Mean distance (n,) of views (n, views, K, 3) from their median (n, K, 3), in x and y, per face size."""
    distance = np.linalg.norm(seen[..., :2] - median[:, None, :, :2], axis=-1).mean(axis=(1, 2))
    size = np.sqrt(np.prod(np.ptp(median[..., :2], axis=1), axis=-1))
    return np.asarray(distance / size)
