"""Photometric degradations of a crop for given parameters: the reference implementation in OpenCV and NumPy.

`ddfa.data.augmentation` draws the parameters at random; `ddfa.train.augment` computes the same on the training device.
Crops are (S, S, 3) uint8 RGB.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Float32, Floats, Int64, UInt8


def recolour(crop: UInt8, gain: Floats, gamma: float, offset: float) -> UInt8:
    """Map values v in 0..1 to gain v^gamma + offset, clipped, with a gain (3,) per channel."""
    ramp = np.linspace(0.0, 1.0, 256)[:, None]
    table = np.clip(gain * ramp**gamma + offset, 0, 1)
    return np.asarray(cv2.LUT(crop, (255 * table).astype(np.uint8)[None]), np.uint8)


def to_grey(crop: UInt8) -> UInt8:
    """Replace all three channels by the luma."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)


def shade(crop: UInt8, angle: float, reach: float, origin: float, depth: float) -> UInt8:
    """Darken one side of the crop, with a soft or a sharp transition.

    Args:
        crop: the crop.
        angle: radians; direction in which it darkens.
        reach: px; length of the transition.
        origin: px; x and y of a point in the middle of the transition.
        depth: share of the light lost on the dark side.
    """
    along = np.arange(crop.shape[0]) - origin
    distance = np.cos(angle) * along[None] + np.sin(angle) * along[:, None]
    light = 1 - depth / (1 + np.exp(-4 * distance / reach))
    return np.asarray(np.clip(crop * light[..., None], 0, 255), np.uint8)


def gaussian_blur(crop: UInt8, sigma: float) -> UInt8:
    """Blur with a Gaussian of standard deviation `sigma` px, truncated after 3 sigma."""
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma), np.uint8)


def sharpen(crop: UInt8, sigma: float, amount: float) -> UInt8:
    """Unsharp masking: add `amount` times the difference to the crop blurred by `sigma` px."""
    return np.asarray(cv2.addWeighted(crop, 1 + amount, gaussian_blur(crop, sigma), -amount, 0), np.uint8)


def motion_kernel(length: int, angle: float) -> Float32:
    """Kernel (L, L) of a straight motion by `length` px in the direction `angle` (radians); its sum is 1."""
    ends = motion_ends(np.array([length]), np.array([angle]))[0]
    return line_kernel(length, *(int(end) for end in ends))


def motion_ends(length: Int64, angle: Floats) -> Int64:
    """Pixels (m, 4) x, y, x, y at both ends of motions by `length` (m,) px in the directions `angle` (m,) radians."""
    middle = (length[:, None] - 1) / 2
    reach = middle * np.column_stack([np.cos(angle), np.sin(angle)])
    return np.asarray(np.rint(np.hstack([middle - reach, middle + reach])), np.int64)


def line_kernel(length: int, x0: int, y0: int, x1: int, y1: int) -> Float32:
    """Kernel (L, L) of a line between two pixels; its sum is 1."""
    kernel = np.zeros((length, length), np.float32)
    cv2.line(kernel, (x0, y0), (x1, y1), 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)


def motion_blur(crop: UInt8, kernel: Float32) -> UInt8:
    """Correlate with a kernel (L, L), whose centre is at L // 2."""
    return np.asarray(cv2.filter2D(crop, -1, kernel), np.uint8)


def shrink(crop: UInt8, side: int) -> UInt8:
    """Downsample to `side` px by area and upsample again bilinearly."""
    size = crop.shape[0]
    reduced = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(reduced, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def add_noise(crop: UInt8, noise: Floats) -> UInt8:
    """Add noise (S, S, 3) in grey levels."""
    return np.clip(crop + noise, 0, 255).astype(np.uint8)


def jpeg(crop: UInt8, quality: int) -> UInt8:
    """Encode as JPEG with 4:2:0 chroma subsampling and decode again.

    OpenCV reads the first channel as blue, so luma and chroma are those of the crop with red and blue swapped.
    """
    encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def occluder_mask(size: int, centre: Floats, axes: Floats, angle: float, ellipse: bool) -> NDArray[np.bool_]:
    """Pixels (S, S) of an ellipse or a rectangle.

    Args:
        size: side S of the crop in px.
        centre: (2,) px, x and y.
        axes: (2,) px, half the width and half the height before the rotation.
        angle: degrees.
        ellipse: ellipse or rectangle.
    """
    mask = np.zeros((size, size), np.uint8)
    box = ((float(centre[0]), float(centre[1])), (float(2 * axes[0]), float(2 * axes[1])), angle)
    if ellipse:
        cv2.ellipse(mask, box, 255, -1)
    else:
        cv2.fillPoly(mask, [cv2.boxPoints(box).astype(np.int32)], 255)
    return mask > 0


def occlude(crop: UInt8, mask: NDArray[np.bool_], cover: NDArray[Any]) -> UInt8:
    """Replace the pixels of a mask (S, S) by those of `cover` (S, S, 3)."""
    return np.where(mask[..., None], cover, crop).astype(np.uint8)


def coarse_texture(coarse: UInt8, size: int) -> UInt8:
    """Upsample random colours (8, 8, 3) to a smooth texture (S, S, 3)."""
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)
