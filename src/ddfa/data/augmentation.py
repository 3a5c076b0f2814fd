"""Data augmentation of training crops: a random similarity warp of the photo, then photometric degradations.

All of it is OpenCV and NumPy on single images, because it runs in worker processes on the CPU.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]
ImageArray = NDArray[np.uint8]


@dataclass(frozen=True)
class Augmentation:
    """Strength of the augmentation; shares are probabilities in 0..1.

    Attributes:
        roll_deg: standard deviation of the in-plane rotation.
        wide_roll: share of crops with three times that standard deviation.
        scale: standard deviation of the logarithm of the RoI side.
        shift: standard deviation of the RoI centre, as a share of its side.
        wide_box: share of crops whose scale and shift vary two and a half times as much, as after a poor detection.
        mirror: share of mirrored crops.
        colour: share with changed brightness, contrast, gamma and white balance.
        grey: share converted to grey.
        shade: share with uneven lighting across the crop.
        blur: share blurred, by defocus or motion.
        sharpen: share sharpened, as by cameras and by downsampling.
        shrink: share downsampled to a low resolution and upsampled again.
        jpeg: share with JPEG artefacts.
        noise: share with sensor noise.
        occlude: share with an occluder in front of the face.
    """

    roll_deg: float = 14.0
    wide_roll: float = 0.2
    scale: float = 0.08
    shift: float = 0.04
    wide_box: float = 0.2
    mirror: float = 0.5
    colour: float = 0.6
    grey: float = 0.08
    shade: float = 0.2
    blur: float = 0.15
    sharpen: float = 0.25
    shrink: float = 0.15
    jpeg: float = 0.15
    noise: float = 0.1
    occlude: float = 0.25


def random_crop_affine(
    landmarks: FloatArray, size: int, options: Augmentation, rng: np.random.Generator
) -> tuple[NDArray[np.float64], bool]:
    """A random similarity from image to crop around the landmark RoI of the rotated face.

    Args:
        landmarks: (68, >=2) image px.
        size: side of the crop in px.
        options: strength of the augmentation.
        rng: random generator.

    Returns:
        (2, 3) affine, image px to crop px (pixel centres at integers, RoI edges at -0.5 and size - 0.5), and whether
        it mirrors x.
    """
    spread = options.roll_deg * (3.0 if rng.random() < options.wide_roll else 1.0)
    roll = np.deg2rad(rng.normal() * spread)
    mirrored = bool(rng.random() < options.mirror)
    linear = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    if mirrored:
        linear = np.diag([-1.0, 1.0]) @ linear
    turned = landmarks[:, :2] @ linear.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    side = np.sqrt(2.0) * (high - low).max()
    loose = 2.5 if rng.random() < options.wide_box else 1.0
    centre = (low + high) / 2 + rng.normal(size=2) * loose * options.shift * side
    side *= np.exp(np.clip(rng.normal() * loose * options.scale, -0.35, 0.45))
    zoom = size / side
    return np.c_[zoom * linear, (size - 1) / 2 - zoom * centre], mirrored


def warp(photo: ImageArray, affine: FloatArray, size: int, rng: np.random.Generator) -> ImageArray:
    """Sample the crop of `affine` (2, 3, image px to crop px); black, reflected or one colour outside the photo."""
    choice = rng.random()
    border, value = cv2.BORDER_CONSTANT, (0.0, 0.0, 0.0)
    if choice < 0.35:
        border = cv2.BORDER_REFLECT_101
    elif choice < 0.45:
        value = tuple(float(v) for v in rng.integers(0, 256, 3))  # type: ignore[assignment]
    factor = int(1 / np.hypot(affine[0, 0], affine[1, 0]))
    if factor > 1:  # bilinear sampling would alias
        photo, affine = _reduced(photo, affine, factor)
    crop = cv2.warpAffine(photo, affine, (size, size), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=value)
    return np.asarray(crop, np.uint8)


def _reduced(photo: ImageArray, affine: FloatArray, factor: int) -> tuple[ImageArray, FloatArray]:
    """Average blocks of factor x factor px, and adapt the map from image to crop px."""
    height, width = (max(1, side // factor) for side in photo.shape[:2])
    cut = photo[: height * factor, : width * factor]
    small = cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA)
    linear = affine[:, :2]
    shift = affine[:, 2] + linear.sum(axis=1) * (factor - 1) / 2  # the centre of the first block is not at pixel (0, 0)
    return np.asarray(small, np.uint8), np.column_stack([factor * linear, shift])


def degrade(crop: ImageArray, options: Augmentation, rng: np.random.Generator) -> ImageArray:
    """Change colours, sharpness and noise of a crop and add an occluder; (S, S, 3) uint8 in and out."""
    # Drawn together and in the order in which they were introduced, so that crops of earlier versions are reproducible.
    draws = rng.random(9)
    if draws[0] < options.occlude:
        crop = _occlude(crop, rng)
    if draws[1] < options.colour:
        crop = _recolour(crop, rng)
    if draws[2] < options.grey:
        crop = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)  # type: ignore[assignment]
    if draws[7] < options.shade:
        crop = _shade(crop, rng)
    if draws[3] < options.blur:
        crop = _blur(crop, rng)
    elif draws[8] < options.sharpen:
        crop = _sharpen(crop, rng)
    if draws[4] < options.shrink:
        crop = _shrink(crop, rng)
    if draws[5] < options.noise:
        noise = rng.normal(0.0, rng.uniform(2, 14), crop.shape)
        crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
    if draws[6] < options.jpeg:
        quality = int(rng.integers(15, 70))
        encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        crop = cv2.imdecode(encoded, cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return np.asarray(crop, np.uint8)


def _recolour(crop: ImageArray, rng: np.random.Generator) -> ImageArray:
    ramp = np.linspace(0.0, 1.0, 256)[:, None]
    gain = rng.uniform(0.6, 1.4) * rng.uniform(0.85, 1.15, 3)
    table = np.clip(gain * ramp ** rng.uniform(0.65, 1.6) + rng.uniform(-0.12, 0.12), 0, 1)
    return np.asarray(cv2.LUT(crop, (255 * table).astype(np.uint8)[None]), np.uint8)


def _shade(crop: ImageArray, rng: np.random.Generator) -> ImageArray:
    """Darken one side of the crop, with a soft or a sharp transition."""
    size = crop.shape[0]
    angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 1.0) * size
    along = np.arange(size) - rng.uniform(0.2, 0.8) * size
    distance = np.cos(angle) * along[None] + np.sin(angle) * along[:, None]
    light = 1 - rng.uniform(0.2, 0.7) / (1 + np.exp(-4 * distance / reach))
    return np.asarray(np.clip(crop * light[..., None], 0, 255), np.uint8)


def _sharpen(crop: ImageArray, rng: np.random.Generator) -> ImageArray:
    """Unsharp masking, as downsampled photos of large faces are sharper than upsampled ones of small faces."""
    blurred = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.6, 1.4) * crop.shape[0] / 120)
    amount = rng.uniform(0.3, 1.5)
    return np.asarray(cv2.addWeighted(crop, 1 + amount, blurred, -amount, 0), np.uint8)


def _blur(crop: ImageArray, rng: np.random.Generator) -> ImageArray:
    size = crop.shape[0]
    if rng.random() < 0.6:
        sigma = rng.uniform(0.4, 1.8) * size / 120
        return np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma), np.uint8)
    length = int(rng.integers(3, max(4, size // 14)))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    start, end = (length - 1) / 2 - reach, (length - 1) / 2 + reach
    first, last = np.rint(start).astype(int), np.rint(end).astype(int)
    cv2.line(kernel, (int(first[0]), int(first[1])), (int(last[0]), int(last[1])), 1.0)
    return np.asarray(cv2.filter2D(crop, -1, kernel / kernel.sum()), np.uint8)


def _shrink(crop: ImageArray, rng: np.random.Generator) -> ImageArray:
    size = crop.shape[0]
    small = int(size * rng.uniform(0.2, 0.7))
    reduced = cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(reduced, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def _occlude(crop: ImageArray, rng: np.random.Generator) -> ImageArray:
    """Occlude part of the crop with a shape of one colour, of noise or of another part of the crop."""
    size = crop.shape[0]
    mask = np.zeros((size, size), np.uint8)
    centre = rng.uniform(0, size, 2)
    axes = rng.uniform(0.06, 0.3, 2) * size
    angle = float(rng.uniform(0, 180))
    box = ((float(centre[0]), float(centre[1])), (float(2 * axes[0]), float(2 * axes[1])), angle)
    if rng.random() < 0.5:
        cv2.ellipse(mask, box, 255, -1)
    else:
        cv2.fillPoly(mask, [cv2.boxPoints(box).astype(np.int32)], 255)
    kind = rng.random()
    if kind < 0.4:
        cover: NDArray[Any] = np.broadcast_to(rng.integers(0, 256, 3, dtype=np.uint8), crop.shape)
    elif kind < 0.6:
        coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        cover = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    else:
        shift = rng.integers(size // 4, size // 2, 2)
        cover = np.roll(crop, (int(shift[0]), int(shift[1])), axis=(0, 1))
    return np.where(mask[..., None] > 0, cover, crop).astype(np.uint8)
