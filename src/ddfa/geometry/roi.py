"""The square region of interest (RoI) of a face and its map to the network's crop.

Convention:
    An RoI is (x0, y0, x1, y1) in image pixels whose centres are at integers. With crop size S, the factor
    k = (x1 - x0) / S is the number of image pixels per crop pixel. Crop pixels have integer centres too, so
    ``x = x0 + (xc + 0.5) * k``: the RoI (-0.5, -0.5, S - 0.5, S - 0.5) is the identity.
"""

import numpy as np

from ddfa.arrays import Float32, Float64, Floats

# Constants of the original 3DDFA: its models need the crops that they were trained on.
ORIGINAL_ENLARGEMENT = 1.58
BOX_SHIFT_DOWN = 0.14
# On 300-W (a training set) the original rule, applied to YuNet's boxes, gives RoIs 1.23 times as large as those around
# the landmarks, on which networks are trained; this enlargement makes them equal.
FITTED_ENLARGEMENT = 1.28


def roi_from_boxes(
    boxes: Floats,
    *,
    enlargement: float = ORIGINAL_ENLARGEMENT,
    truncate: bool = False,
    roll_deg: Floats | float = 0.0,
    shift_down: float = BOX_SHIFT_DOWN,
) -> Float32:
    """Compute RoIs from detector boxes by the rule of the original 3DDFA: 1.58 times larger, slightly lower.

    Args:
        boxes: (n, 4) x0, y0, x1, y1 in image px.
        enlargement: side of the RoI divided by the mean side of the box.
        truncate: truncate the side to whole pixels, as the original code does.
        roll_deg: (n,) or one for all, roll of the faces, clockwise: the direction in which "lower" is.
        shift_down: distance of the RoI's centre below that of the box, divided by the mean side of the box.

    Returns:
        (n, 4) float32 squares.
    """
    x0, y0, x1, y1 = np.asarray(boxes, np.float64).reshape(-1, 4).T
    size = (x1 - x0 + y1 - y0) / 2
    side = enlargement * size
    if truncate:
        side = np.trunc(side)
    angle, shift = np.deg2rad(np.asarray(roll_deg, np.float64)), shift_down * size
    return _squares((x0 + x1) / 2 - shift * np.sin(angle), (y0 + y1) / 2 + shift * np.cos(angle), side)


def roi_from_landmarks(landmarks: Floats) -> Float32:
    """Compute RoIs from 68 landmarks by the rule of the original 3DDFA: side = sqrt(2) * longer side of their box.

    Args:
        landmarks: (n, K, 2 or more) x, y, ... in image px.

    Returns:
        (n, 4) float32 squares.
    """
    points = np.asarray(landmarks, np.float64)[..., :2]
    low, high = points.min(axis=1), points.max(axis=1)
    centre = (low + high) / 2
    # The diagonal of the bounding square: no rotation in the image plane moves a landmark out of the crop.
    return _squares(centre[:, 0], centre[:, 1], np.sqrt(2.0) * (high - low).max(axis=1))


def central_square(width: int, height: int, share: float) -> Float32:
    """Return the central square of an image of a face, of side share * width: (4,) float32 x0, y0, x1, y1 px."""
    half, x, y = share * width / 2, (width - 1) / 2, (height - 1) / 2
    return np.array([x - half, y - half, x + half, y + half], np.float32)


def crop_matrix(roi: Floats, size: int) -> Float64:
    """Compute the affine maps from image to crop pixels, for `cv2.warpAffine` and for points.

    Args:
        roi: (n, 4) squares or rectangles in image px.
        size: side S of the crop in px.

    Returns:
        (n, 2, 3) float64 with crop = A @ (x, y, 1).
    """
    x0, y0, x1, y1 = np.asarray(roi, np.float64).reshape(-1, 4).T
    matrix = np.zeros((len(x0), 2, 3))
    for axis, (low, high) in enumerate([(x0, x1), (y0, y1)]):
        matrix[:, axis, axis] = size / (high - low)
        # The RoI ends at pixel borders: its low edge is half a crop pixel before the centre of the first one.
        matrix[:, axis, 2] = -low * size / (high - low) - 0.5
    return matrix


def _squares(x: Float64, y: Float64, side: Float64) -> Float32:
    half = side / 2
    return np.stack([x - half, y - half, x + half, y + half], axis=-1).astype(np.float32)
