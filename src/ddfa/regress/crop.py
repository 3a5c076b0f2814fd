"""Crops of an image as network input: at sub-pixel positions, or exactly as the original 3DDFA (V1/V2) cuts them."""

import cv2
import numpy as np

from ddfa.arrays import Float64, Floats, UInt8
from ddfa.geometry.roi import crop_matrix
from ddfa.regress.convention import PixelConvention


def cut_crops(image: UInt8, roi: Floats, size: int, convention: PixelConvention) -> UInt8:
    """Cut the crops of a network: `original_crop` for original 3DDFA models, `affine_crop` for open ones.

    Args:
        image: (H, W, C) uint8.
        roi: (n, 4) x0, y0, x1, y1 in image px.
        size: side S of the crops in px.
        convention: pixel convention of the model.

    Returns:
        (n, S, S, C) uint8.
    """
    cut_one = original_crop if convention.is_original else affine_crop
    crops = np.empty((len(roi), size, size, *image.shape[2:]), np.uint8)
    for crop, square in zip(crops, roi, strict=True):
        crop[:] = cut_one(image, square, size)
    return crops


def original_crop(image: UInt8, roi: Floats, size: int) -> UInt8:
    """Cut one RoI exactly as the original 3DDFA does: corners rounded half to even, zeros outside, bilinear resize.

    Args:
        image: (H, W, C) uint8.
        roi: (4,) x0, y0, x1, y1 in image px.
        size: side of the crop in px.

    Returns:
        (size, size, C) uint8.
    """
    x0, y0, x1, y1 = (int(v) for v in np.rint(np.asarray(roi, np.float64)))
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    patch = cut(image, x0, y0, x1, y1)
    return np.asarray(cv2.resize(patch, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def affine_crop(image: UInt8, roi: Floats, size: int) -> UInt8:
    """Cut one RoI with sub-pixel precision; zeros outside.

    An RoI of at least twice the crop's size is first averaged down by an integer factor, so that bilinear sampling does
    not alias on large faces.

    Args:
        image: (H, W, C) uint8.
        roi: (4,) x0, y0, x1, y1 in image px, see `ddfa.geometry.roi`.
        size: side of the crop in px.

    Returns:
        (size, size, C) uint8.
    """
    matrix = crop_matrix(roi, size)[0]
    factor = int(1 / matrix[0, 0])
    if factor > 1:
        image, matrix = _shrunk(image, roi, matrix, factor)
    return np.asarray(cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8)


def _shrunk(image: UInt8, roi: Floats, matrix: Float64, factor: int) -> tuple[UInt8, Float64]:
    """Average blocks of factor x factor px around the RoI and adapt the map from image to crop px."""
    x0, y0 = (int(np.floor(v)) - factor for v in roi[:2])
    columns, rows = (int(np.ceil((v - low) / factor)) + 2 for v, low in zip(roi[2:], (x0, y0), strict=True))
    patch = cut(image, x0, y0, x0 + columns * factor, y0 + rows * factor)
    small = np.asarray(cv2.resize(patch, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
    # The centre of a block is (factor - 1) / 2 px right of and below the centre of its first pixel.
    first = np.array([x0, y0]) + (factor - 1) / 2
    shift = matrix[:, :2] @ first + matrix[:, 2]
    return small, np.column_stack([matrix[:, :2] * factor, shift])


def cut(image: UInt8, x0: int, y0: int, x1: int, y1: int) -> UInt8:
    """Cut whole pixels x0 <= x < x1, y0 <= y < y1, with zeros outside the image."""
    height, width = image.shape[:2]
    patch = np.zeros((y1 - y0, x1 - x0, *image.shape[2:]), np.uint8)
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if left < right and top < bottom:
        patch[top - y0 : bottom - y0, left - x0 : right - x0] = image[top:bottom, left:right]
    return patch
