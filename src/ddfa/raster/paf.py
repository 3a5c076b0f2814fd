"""The pose adaptive feature (PAF) of 3DDFA V1: pixels of the crop resampled on a grid over the surface of the face.

64 x 64 anchors are spread on a cylindrical grid around the face; the crop's pixels around each anchor form one patch of
the image. The anchors of original 3DDFA come with the Basel model, and their expression basis is by mistake a copy of
the identity basis, so they do not follow an open mouth. Here anchors are points of the mesh of any head model, and do.
"""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, Floats, Int32, UInt8
from ddfa.errors import ModelError, OutputError
from ddfa.faces import Faces
from ddfa.head.model import HeadModel
from ddfa.raster.rasterize import rasterize

ANCHORS: Final = 64
_REACH_DEG: Final = 85.0  # to either side
_ABOVE, _BELOW = 0.35, 0.05  # how far the grid goes beyond the landmarks, in heights of their box


def pose_adaptive_feature(crop: UInt8, face: Faces, kernel: int = 3) -> UInt8:
    """Resample a crop on the anchors of a face.

    Args:
        crop: (S, S, 3) uint8, the input of the network.
        face: one face; of several, the first is used.
        kernel: side of the patch of each anchor in px, odd.

    Returns:
        (64 kernel, 64 kernel, 3) uint8, upright; hidden anchors show what occludes them.

    Raises:
        OutputError: the kernel is even, or larger than the crop.
        ModelError: the head model has no triangles.
    """
    size, reach = crop.shape[0], kernel // 2
    if kernel % 2 == 0 or not 0 < kernel <= size:
        raise OutputError(f"PAF kernel of {kernel} px: choose an odd number from 1 to {size - 1 + size % 2}")
    centres = np.clip(np.rint(_anchors_in_crop(face)[..., :2]), reach, size - 1 - reach).astype(int)
    step = np.arange(-reach, reach + 1)
    x, y = centres[..., 0, None] + step, centres[..., 1, None] + step  # (64, 64, kernel)
    patches = crop[y[:, :, :, None], x[:, :, None, :]]  # (64, 64, kernel, kernel, 3)
    return np.ascontiguousarray(patches.transpose(0, 2, 1, 3, 4).reshape(ANCHORS * kernel, ANCHORS * kernel, 3))


def _anchors_in_crop(face: Faces) -> Float32:
    """(64, 64, 3) float32, crop px, y down."""
    corners, weights = _anchors(face.head)
    points = (face.vertices[0][corners] * weights[..., None]).sum(axis=2)
    x0, y0, x1, _ = face.roi[0]
    factor = face.crop_size / max(float(x1 - x0), 1e-6)
    half = 0.0 if face.convention.is_original else 0.5  # open: the RoI starts at the border of pixel 0
    return np.asarray((points - np.array([x0, y0, 0])) * factor - np.array([half, half, 0]), np.float32)


@lru_cache(maxsize=4)
def _anchors(head: HeadModel) -> tuple[Int32, Float32]:
    """Corners (64, 64, 3) and barycentric weights of the outermost points of the mean face on a cylindrical grid."""
    if not len(head.triangles):
        raise ModelError(f"head model '{head.name}' has no triangles to put anchors on: put its tri.mat beside it")
    landmarks = head.landmark_points.mean
    low, high = landmarks[:, 1].min(), landmarks[:, 1].max()
    bottom, top = low - _BELOW * (high - low), high + _ABOVE * (high - low)
    mean: Floats = head.mean - [0, 0, landmarks[:17, 2].min()]
    angle = np.degrees(np.arctan2(mean[:, 0], mean[:, 2]))
    column = (angle / _REACH_DEG + 1) * (ANCHORS - 1) / 2
    row = (top - mean[:, 1]) / (top - bottom) * (ANCHORS - 1)
    around = np.stack([column, row, np.hypot(mean[:, 0], mean[:, 2])], axis=1).astype(np.float32)
    front = np.abs(angle) < 150  # a triangle across the nape would wrap around the whole grid
    triangles = head.triangles[front[head.triangles].all(axis=1)]
    raster = rasterize(around, triangles, ANCHORS, ANCHORS)
    if not raster.mask.any():
        raise ModelError(f"head model '{head.name}' has no face to put anchors on: use a bundle of a whole head")
    nearest = _nearest(raster.mask)
    return triangles[raster.triangle.ravel()[nearest]], raster.barycentric.reshape(-1, 3)[nearest]


def _nearest(mask: "np.typing.NDArray[np.bool_]") -> Int32:
    """Flat index (H, W) of the nearest true pixel."""
    labels = cv2.distanceTransformWithLabels((~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[
        1
    ]
    flat = np.zeros(labels.max() + 1, np.int32)
    flat[labels[mask]] = np.flatnonzero(mask)
    return np.asarray(flat[labels], np.int32)
