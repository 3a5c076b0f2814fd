"""Patches of the eyes and the mouth, cut from the image at its own resolution according to the landmarks.

A patch is aligned with the line between the eyes; its size is proportional to the interocular distance, corrected for
yaw. The patch of the right eye is mirrored, so that the nose is on the same side in the patches of both eyes.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float64, Floats, UInt8
from ddfa.regress.crop import cut

EYE_SIDE: Final = 56
MOUTH_SIDE: Final = 64
# Of the left eye, the right eye and the mouth: side of the patch in its own px; the same relative to the interocular
# distance; distance of its centre below its landmarks relative to the side; direction of its x axis.
PATCH_SIDES: Final = np.array([EYE_SIDE, EYE_SIDE, MOUTH_SIDE], np.float64)
_SIZES: Final = np.array([0.95, 0.95, 1.5])
_DOWN: Final = np.array([-0.12, -0.12, 0.28])
_MIRROR: Final = np.array([1.0, -1.0, 1.0])
# Lower bound of the foreshortening: the projected distance of a profile view is a poor estimate of the size.
_MIN_FORESHORTENING = 0.2
# The position of the mouth's patch follows the base of the nose, so that the patch shows how far the mouth has moved.
_LANDMARKS: Final = np.zeros((3, 68))
_LANDMARKS[0, 42:48] = _LANDMARKS[1, 36:42] = 1 / 6
_LANDMARKS[2, 31:36] = 1 / 5


def region_patches(landmarks: Floats, rotation: Floats) -> Float64:
    """Affine maps (n, 3, 2, 3) from image px to patch px: the left eye, the right one, mirrored, and the mouth.

    Args:
        landmarks: (n, 68, 2 or more) iBUG-68, image px.
        rotation: (n, 3, 3) head to camera.
    """
    points = _LANDMARKS @ np.asarray(landmarks[..., :2], np.float64)
    difference = points[:, 0] - points[:, 1]
    projected = np.maximum(np.hypot(difference[:, 0], difference[:, 1]), 1e-6)
    axis = np.asarray(rotation, np.float64)[:, :2, 0]  # of the head, from its right to its left
    distance = projected / np.maximum(np.hypot(axis[:, 0], axis[:, 1]), _MIN_FORESHORTENING)
    x, y = (difference / projected[:, None]).T[..., None]
    length = np.maximum(_SIZES * distance[:, None], 1e-3)
    scale, below = PATCH_SIDES / length, _DOWN * length
    centre_x, centre_y = points[..., 0] - below * y, points[..., 1] + below * x
    maps = np.empty((len(points), 3, 2, 3))
    across = _MIRROR * scale
    maps[..., 0, 0], maps[..., 0, 1] = across * x, across * y
    maps[..., 1, 0], maps[..., 1, 1] = -scale * y, scale * x
    shift = maps[..., 0] * centre_x[..., None] + maps[..., 1] * centre_y[..., None]
    maps[..., 2] = (PATCH_SIDES[:, None] - 1) / 2 - shift
    return maps


def eye_patches(landmarks: Floats, rotation: Floats) -> Float64:
    """The maps (n, 2, 2, 3) of both eyes; see `region_patches`."""
    return region_patches(landmarks, rotation)[:, :2]


def mouth_patches(landmarks: Floats, rotation: Floats) -> Float64:
    """The maps (n, 2, 3) of the mouth with chin and nose; see `region_patches`."""
    return region_patches(landmarks, rotation)[:, 2]


def mirrored(affines: Floats, side: int) -> Float64:
    """Affine maps (..., 2, 3) to the mirror images of the patches."""
    flip = np.array([[-1.0, 0.0], [0.0, 1.0]])
    flipped: Float64 = flip @ affines
    flipped[..., 0, 2] += side - 1
    return flipped


def sides_in_image(affines: Floats, side: int | Floats) -> Float64:
    """Sides (...,) in image px of patches of `side` px, for affine maps (..., 2, 3)."""
    a, b, c, d = (affines[..., i, j] for i in (0, 1) for j in (0, 1))
    return np.asarray(side / np.sqrt(np.abs(a * d - b * c)))


def cut_patches(images: Sequence[UInt8], affines: Floats, side: int) -> UInt8:
    """Cut patches; border pixels are replicated outside the image.

    Args:
        images: m images (H, W, 3) uint8, one for each patch.
        affines: (m, 2, 3) from image px to patch px.
        side: of the patches, px.

    Returns:
        (m, side, side, 3) uint8.
    """
    patches = np.empty((len(affines), side, side, 3), np.uint8)
    factors = (sides_in_image(affines, side) / side).astype(int).tolist()
    for image, patch, affine, factor in zip(images, patches, affines, factors, strict=True):
        if factor > 1:
            image, affine = _shrunk(image, affine, side, factor)
        cv2.warpAffine(image, affine, (side, side), dst=patch, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return patches


def _shrunk(image: UInt8, affine: Float64, side: int, factor: int) -> tuple[UInt8, Float64]:
    """Average blocks of factor x factor px around a patch, against aliasing; returns the smaller image and its map."""
    inverse = np.linalg.inv(affine[:, :2])
    corners = (np.array([[0, 0], [side, 0], [0, side], [side, side]]) - 0.5 - affine[:, 2]) @ inverse.T
    last = np.array(image.shape[1::-1]) - 1
    x0, y0 = (int(v) for v in np.clip(np.floor(corners.min(axis=0)) - factor, 0, last))
    x1, y1 = (int(v) for v in np.clip(np.ceil(corners.max(axis=0)) + factor, 1, last + 1))
    columns, rows = (max(1, -(-length // factor)) for length in (x1 - x0, y1 - y0))
    block = cut(image, x0, y0, min(x0 + columns * factor, image.shape[1]), min(y0 + rows * factor, image.shape[0]))
    missing = (rows * factor - block.shape[0], columns * factor - block.shape[1])
    if any(missing):
        block = np.pad(block, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
    small = np.asarray(cv2.resize(block, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
    # The centre of a block is (factor - 1) / 2 px to the right of and below the centre of its first pixel.
    first = np.array([x0, y0]) + (factor - 1) / 2
    return small, np.column_stack([affine[:, :2] * factor, affine[:, :2] @ first + affine[:, 2]])
