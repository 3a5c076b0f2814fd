"""Patches of the eyes and the mouth, cut from the image at its own resolution according to the landmarks.

A patch is aligned with the line between the eyes; its size is proportional to the interocular distance, corrected for
yaw. The patch of the right eye is mirrored, so that the nose is on the same side in the patches of both eyes.
"""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float64, Floats, UInt8
from ddfa.regress.crop import cut

EYE_SIDE: Final = 56
MOUTH_SIDE: Final = 64
# Side of a patch relative to the interocular distance; distance of its centre below its landmarks relative to the side.
_EYE_SIZE, _EYE_DOWN = 0.95, -0.12
_MOUTH_SIZE, _MOUTH_DOWN = 1.5, 0.28
# Lower bound of the foreshortening: the projected distance of a profile view is a poor estimate of the size.
_MIN_FORESHORTENING = 0.2
_LEFT_EYE, _RIGHT_EYE = slice(42, 48), slice(36, 42)
_NOSE_BASE = slice(31, 36)


def eye_patches(landmarks: Floats, rotation: Floats) -> Float64:
    """Affine maps (n, 2, 2, 3) from image px to patch px: the left eye, then the right one, mirrored.

    Args:
        landmarks: (n, 68, 2 or more) iBUG-68, image px.
        rotation: (n, 3, 3) head to camera.
    """
    across, distance = _eye_line(landmarks, rotation)
    left = _patches(landmarks[:, _LEFT_EYE, :2].mean(axis=1), across, distance, _EYE_SIZE, _EYE_DOWN, EYE_SIDE)
    right = _patches(landmarks[:, _RIGHT_EYE, :2].mean(axis=1), across, distance, _EYE_SIZE, _EYE_DOWN, EYE_SIDE)
    return np.stack([left, mirrored(right, EYE_SIDE)], axis=1)


def mouth_patches(landmarks: Floats, rotation: Floats) -> Float64:
    """Affine maps (n, 2, 3) from image px to patch px of the mouth with chin and nose.

    Their position follows the base of the nose, not the mouth, so that they show how far the mouth has moved.

    Args:
        landmarks: (n, 68, 2 or more) iBUG-68, image px.
        rotation: (n, 3, 3) head to camera.
    """
    across, distance = _eye_line(landmarks, rotation)
    nose = landmarks[:, _NOSE_BASE, :2].mean(axis=1)
    return _patches(nose, across, distance, _MOUTH_SIZE, _MOUTH_DOWN, MOUTH_SIDE)


def mirrored(affines: Floats, side: int) -> Float64:
    """Affine maps (..., 2, 3) to the mirror images of the patches."""
    flip = np.array([[-1.0, 0.0], [0.0, 1.0]])
    flipped: Float64 = flip @ affines
    flipped[..., 0, 2] += side - 1
    return flipped


def sides_in_image(affines: Floats, side: int) -> Float64:
    """Sides (...,) of the patches in image px, for affine maps (..., 2, 3)."""
    return np.asarray(side / np.sqrt(np.abs(np.linalg.det(affines[..., :2]))))


def cut_patches(image: UInt8, affines: Floats, side: int) -> UInt8:
    """Cut patches; border pixels are replicated outside the image.

    Args:
        image: (H, W, 3) uint8.
        affines: (m, 2, 3) from image px to patch px.
        side: of the patches, px.

    Returns:
        (m, side, side, 3) uint8.
    """
    patches = np.empty((len(affines), side, side, 3), np.uint8)
    for patch, affine in zip(patches, affines, strict=True):
        source = image
        factor = int(sides_in_image(affine, side) / side)
        if factor > 1:
            source, affine = _shrunk(image, affine, side, factor)
        cv2.warpAffine(source, affine, (side, side), dst=patch, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return patches


def _eye_line(landmarks: Floats, rotation: Floats) -> tuple[Float64, Float64]:
    """Direction from the right to the left eye, (n, 2), and the frontal interocular distance, (n,) px."""
    difference = landmarks[:, _LEFT_EYE, :2].mean(axis=1) - landmarks[:, _RIGHT_EYE, :2].mean(axis=1)
    projected = np.maximum(np.linalg.norm(difference, axis=1), 1e-6)
    foreshortening = np.linalg.norm(np.asarray(rotation, np.float64)[:, :2, 0], axis=1)
    return np.asarray(difference / projected[:, None], np.float64), np.asarray(
        projected / np.maximum(foreshortening, _MIN_FORESHORTENING)
    )


def _patches(points: Floats, across: Float64, distance: Float64, size: float, down: float, side: int) -> Float64:
    """Affine maps (n, 2, 3) to patches around points (n, 2)."""
    below = np.stack([-across[:, 1], across[:, 0]], axis=1)
    length = np.maximum(size * distance, 1e-3)[:, None]
    centre = points + down * length * below
    axes = np.stack([across, below], axis=1) * (side / length)[..., None]
    shift = (side - 1) / 2 - np.einsum("nij,nj->ni", axes, centre)
    return np.concatenate([axes, shift[..., None]], axis=2)


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
