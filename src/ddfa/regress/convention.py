"""Pixel conventions: maps from the crop frame to the image, for the open models and the original 3DDFA (V1/V2).

The crop frame contains the points that the parameters describe, V = P @ X + t: crop pixels, y up. Image space is
x right, y down, z towards the viewer, in pixels. The original V1 keeps MATLAB's 1-based pixels (y' = S + 1 - y); V2
subtracts one crop pixel on each axis and starts z at the farthest point of the face.
"""

from enum import Enum

import cv2
import numpy as np

from ddfa.arrays import Float32, Float64, Floats
from ddfa.geometry.camera import FLIP_Y


class PixelConvention(Enum):
    """How crop coordinates relate to image coordinates.

    OPEN: xc = x, yc = S - 1 - y, zc = z; image = x0 + (xc + 0.5) k; z k. Pixel centres at integers in both frames.
    V1: xc = x, yc = S + 1 - y, zc = z; image = x0 + xc k; z k.
    V2: xc = x - 1, yc = S - y, zc = z - 1; image = x0 + xc k; z k minus its minimum per face and call.
    """

    OPEN = "open"
    V1 = "v1"
    V2 = "v2"

    @property
    def is_original(self) -> bool:
        """Whether it is that of an original 3DDFA model (V1/V2), whose RoIs and crops are rounded to whole pixels."""
        return self is not PixelConvention.OPEN

    def to_image(self, points: Floats, roi: Floats, size: int, *, floor_z: bool = True) -> Float32:
        """Map points from the crop frame to the image.

        Args:
            points: (n, K, 3) crop px, y up.
            roi: (n, 4) x0, y0, x1, y1 image px.
            size: crop side S in px.
            floor_z: under V2, subtract the smallest z of each face; no effect under the others.

        Returns:
            (n, K, 3) float32 image px, y down, z towards the viewer.
        """
        factor, corner = self._factors(roi, size)
        # Float64: at image coordinates of thousands of px, float32 rounding of each step would add up to 0.001 px.
        crop = np.asarray(points, np.float64) * FLIP_Y + self._offset(size)
        image = crop * factor + corner
        if self is PixelConvention.V2 and floor_z:
            image[..., 2] -= image[..., 2].min(axis=1, keepdims=True)
        return image.astype(np.float32)

    def place(self, points: Float32, pose: Floats, roi: Floats, size: int) -> Float32:
        """Project head points into the image: `to_image` of P [points; 1] in one pass, in place.

        Args:
            points: (n, K, 3) float32, contiguous, head space; overwritten.
            pose: (n, 3, 4) P = [scale * R | t] from head space to crop px, y up.
            roi: (n, 4) x0, y0, x1, y1 image px.
            size: crop side S in px.

        Returns:
            (n, K, 3) float32 image px, y down, z towards the viewer.
        """
        factor, corner = self._factors(roi, size)
        # Pose, flip, offset and crop are affine: composed into one matrix per face, they cost a single pass over the
        # points.
        matrix = np.asarray(pose, np.float64)
        linear = matrix[:, :, :3].transpose(0, 2, 1) * (FLIP_Y * factor)
        shift = (matrix[:, None, :, 3] * FLIP_Y + self._offset(size)) * factor + corner
        maps = np.concatenate([linear.transpose(0, 2, 1), shift.transpose(0, 2, 1)], axis=2).astype(np.float32)
        image = points  # in place: allocating new memory would take as long as the product
        if points.size:
            for face, own in zip(points, maps, strict=True):
                # Several times faster than NumPy's product with such a small matrix.
                cv2.transform(face[None], own, dst=face[None])
        if self is PixelConvention.V2:
            image[..., 2] -= image[..., 2].min(axis=1, keepdims=True)
        return image

    def to_crop(self, points: Floats, roi: Floats, size: int) -> Float32:
        """Map image points to the crop frame: the inverse of `to_image` (under V2 up to the z origin, which is lost).

        Args:
            points: (n, K, 3) image px, y down, z towards the viewer.
            roi: (n, 4) x0, y0, x1, y1 image px.
            size: crop side S in px.

        Returns:
            (n, K, 3) float32 crop px, y up.
        """
        factor, corner = self._factors(roi, size)
        crop = (np.asarray(points, np.float64) - corner) / factor
        return ((crop - self._offset(size)) * FLIP_Y).astype(np.float32)

    def crop_centre(self, size: int) -> Float64:
        """The point (3,) of the crop frame that is at the centre of the RoI: crop px, y up; its z is 0."""
        x, y, _ = (size / 2 - np.asarray(self._offset(size), np.float64)) * FLIP_Y
        return np.array([x, y, 0.0])

    def _offset(self, size: int) -> tuple[float, float, float]:
        """Return the offset to add after flipping y: crop coordinates to distances from the RoI's corner, crop px."""
        return {
            PixelConvention.OPEN: (0.5, size - 0.5, 0.0),
            PixelConvention.V1: (0.0, size + 1.0, 0.0),
            PixelConvention.V2: (-1.0, float(size), -1.0),
        }[self]

    @staticmethod
    def _factors(roi: Floats, size: int) -> tuple[Floats, Floats]:
        """Return image px per crop px (n, 1, 3) and the image position (n, 1, 3) of the RoI's corner."""
        corners = np.asarray(roi, np.float64).reshape(-1, 2, 2)
        k = (corners[:, 1] - corners[:, 0]) / size
        factor = np.concatenate([k, k.mean(axis=1, keepdims=True)], axis=1)  # z has no side of its own
        origin = np.concatenate([corners[:, 0], np.zeros((len(k), 1))], axis=1)
        return factor[:, None], origin[:, None]
