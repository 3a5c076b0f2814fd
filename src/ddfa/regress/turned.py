"""Faces at any roll: the image around a RoI is turned until the face is upright, and the pose is turned back.

Networks are trained on faces within about 30° of upright. A face beyond that is cut from a patch in which the image is
turned about the centre of its RoI; the regressed pose is then expressed in the crop that is not turned, so that
parameters, RoI and everything computed from them have the same meaning at any roll.
"""

import cv2
import numpy as np

from ddfa.arrays import Float32, Float64, Floats, UInt8
from ddfa.geometry.pose import in_plane_matrix
from ddfa.regress.convention import PixelConvention
from ddfa.regress.crop import cut

_MARGIN = 4  # px around the RoI: samplers read a block beyond it


def turned_patch(image: UInt8, roi: Floats, roll_deg: float, size: int) -> tuple[UInt8, Float32]:
    """Cut the surroundings of a RoI, turned about its centre so that a face at this roll is upright.

    Args:
        image: (H, W, C) uint8.
        roi: (4,) square in image px.
        roll_deg: roll of the face, clockwise positive; the image is turned the other way.
        size: side S of the crop that will be cut from the patch, px. A RoI of more than 4 S is first averaged down by
            an integer factor.

    Returns:
        The patch (h, h, C) uint8, and the RoI (4,) float32 in it, whose corners are at pixel borders.
    """
    x0, y0, x1, y1 = np.asarray(roi, np.float64)
    centre, side = np.array([x0 + x1, y0 + y1]) / 2, x1 - x0
    factor = max(1, int(side / (2 * size)) if side >= 4 * size else 1)
    pixels = max(1, round(side / factor))
    reach = int(np.ceil((side / 2 + (_MARGIN + 1) * factor) * np.sqrt(2) / factor)) * factor
    left, top = (int(v) for v in np.floor(centre) - reach)
    source = cut(image, left, top, left + 2 * reach, top + 2 * reach)
    if factor > 1:
        blocks = 2 * reach // factor
        source = np.asarray(cv2.resize(source, (blocks, blocks), interpolation=cv2.INTER_AREA), np.uint8)
    # The centre of a block is (factor - 1) / 2 px after the centre of its first pixel.
    middle = (centre - [left, top] - (factor - 1) / 2) / factor
    cosine, sine = np.cos(np.deg2rad(roll_deg)), np.sin(np.deg2rad(roll_deg))
    turn = np.array([[cosine, -sine], [sine, cosine]]) * side / (factor * pixels)  # from the patch to the source
    whole = pixels + 2 * _MARGIN
    shift = middle - turn @ np.full(2, (whole - 1) / 2)
    matrix = np.column_stack([turn, shift])
    patch = cv2.warpAffine(source, matrix, (whole, whole), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    corners = np.array([_MARGIN, _MARGIN, _MARGIN + pixels, _MARGIN + pixels], np.float32)
    return np.asarray(patch, np.uint8), corners - np.float32(0.5)


def turn_pose(pose: Floats, roll_deg: Floats, size: int, convention: PixelConvention) -> Float64:
    """Turn poses about the centre of the crop: from the crop of `turned_patch` to that of the same RoI in the image.

    Args:
        pose: (n, 3, 4) camera matrices, head space to crop px, y up.
        roll_deg: (n,) the angles given to `turned_patch`; the face turns clockwise by them.
        size: side S of the crop in px.
        convention: pixel convention of the crop.

    Returns:
        (n, 3, 4) float64.
    """
    turn = in_plane_matrix(roll_deg)
    turned: Float64 = turn @ np.asarray(pose, np.float64)
    centre = convention.crop_centre(size)
    turned[..., 3] += centre - turn @ centre
    return turned
