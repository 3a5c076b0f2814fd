"""Data augmentation of training crops: a random similarity warp of the photo, then photometric degradations.

All of it is OpenCV and NumPy on single images, because it runs in worker processes on the CPU. `ddfa.train.augment`
draws crops of the same distribution in batches on the training device: from `Augmentation` and the ranges below.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ddfa.data import degradations

FloatArray = NDArray[np.floating]
ImageArray = NDArray[np.uint8]

# Ranges of uniform distributions. Lengths are shares of the crop side, blurs px at a crop side of 120 px.
GAIN: Final = (0.6, 1.4)
WHITE_BALANCE: Final = (0.85, 1.15)
GAMMA: Final = (0.65, 1.6)
OFFSET: Final = (-0.12, 0.12)
SHADE_REACH: Final = (0.05, 1.0)
SHADE_ORIGIN: Final = (0.2, 0.8)
SHADE_DEPTH: Final = (0.2, 0.7)
SHARPEN_SIGMA: Final = (0.6, 1.4)
SHARPEN_AMOUNT: Final = (0.3, 1.5)
BLUR_SIGMA: Final = (0.4, 1.8)
SHRINK_SIDE: Final = (0.2, 0.7)
NOISE_SIGMA: Final = (2.0, 14.0)  # grey levels
JPEG_QUALITY: Final = (15, 70)
OCCLUDER_AXES: Final = (0.06, 0.3)
DEFOCUS: Final = 0.6  # share of the blurred crops; the others are blurred by motion
ELLIPSE: Final = 0.5  # share of the occluders; the others are rectangles
ONE_COLOUR: Final = 0.4  # share of the occluders
COARSE_TEXTURE: Final = 0.2  # share of the occluders; the others show another part of the crop
COARSE: Final = 8  # px, side of the coarse texture
REFLECTED: Final = 0.35  # share of the crops with a reflected border
COLOURED: Final = 0.1  # share of the crops with a border of one colour; that of the others is black
WIDE_ROLL: Final = 3.0  # factor of the standard deviation for `Augmentation.wide_roll`
WIDE_BOX: Final = 2.5  # the same for `Augmentation.wide_box`
LOG_SCALE: Final = (-0.35, 0.45)  # bounds


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
    spread = options.roll_deg * (WIDE_ROLL if rng.random() < options.wide_roll else 1.0)
    roll = np.deg2rad(rng.normal() * spread)
    mirrored = bool(rng.random() < options.mirror)
    loose = WIDE_BOX if rng.random() < options.wide_box else 1.0
    shift = rng.normal(size=2) * loose * options.shift
    log_scale = np.clip(rng.normal() * loose * options.scale, *LOG_SCALE)
    return crop_affine(landmarks, size, roll, mirrored, shift, log_scale), mirrored


def crop_affine(
    landmarks: FloatArray, size: int, roll: float, mirrored: bool, shift: FloatArray, log_scale: float
) -> NDArray[np.float64]:
    """The similarity (2, 3) from image px to crop px for given random parameters.

    Args:
        landmarks: (68, >=2) image px.
        size: side of the crop in px.
        roll: radians.
        mirrored: whether it reflects x, after the rotation.
        shift: (2,) of the RoI centre, as a share of its side.
        log_scale: logarithm of the factor of the RoI side.
    """
    linear = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    if mirrored:
        linear = np.diag([-1.0, 1.0]) @ linear
    turned = landmarks[:, :2] @ linear.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    side = np.sqrt(2.0) * (high - low).max()
    centre = (low + high) / 2 + shift * side
    side *= np.exp(log_scale)
    zoom = size / side
    return np.asarray(np.c_[zoom * linear, (size - 1) / 2 - zoom * centre], np.float64)


def warp(photo: ImageArray, affine: FloatArray, size: int, rng: np.random.Generator) -> ImageArray:
    """Sample the crop of `affine` (2, 3, image px to crop px); black, reflected or one colour outside the photo."""
    choice = rng.random()
    if choice < REFLECTED:
        return warp_with_border(photo, affine, size, None)
    value = rng.integers(0, 256, 3) if choice < REFLECTED + COLOURED else np.zeros(3, np.int64)
    return warp_with_border(photo, affine, size, value)


def warp_with_border(
    photo: ImageArray, affine: FloatArray, size: int, border: NDArray[np.integer] | None
) -> ImageArray:
    """Sample a crop bilinearly, after averaging blocks of pixels where the photo is much larger.

    Args:
        photo: (H, W, 3) uint8.
        affine: (2, 3) image px to crop px.
        size: side of the crop in px.
        border: (3,) colour outside the photo; None for its reflection.
    """
    factor = reduction(affine)
    if factor > 1:  # bilinear sampling would alias
        photo, affine = _reduced(photo, affine, factor)
    mode = cv2.BORDER_REFLECT_101 if border is None else cv2.BORDER_CONSTANT
    value = (0.0, 0.0, 0.0) if border is None else tuple(float(v) for v in border)
    crop = cv2.warpAffine(photo, affine, (size, size), flags=cv2.INTER_LINEAR, borderMode=mode, borderValue=value)
    return np.asarray(crop, np.uint8)


def reduction(affine: FloatArray) -> int:
    """Side in px of the blocks of the photo that are averaged before the map `affine` (2, 3) is sampled."""
    return max(1, int(1 / np.hypot(affine[0, 0], affine[1, 0])))


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
    size = crop.shape[0]
    if draws[0] < options.occlude:
        crop = _occlude(crop, rng)
    if draws[1] < options.colour:
        gain = rng.uniform(*GAIN) * rng.uniform(*WHITE_BALANCE, 3)
        crop = degradations.recolour(crop, gain, rng.uniform(*GAMMA), rng.uniform(*OFFSET))
    if draws[2] < options.grey:
        crop = degradations.to_grey(crop)
    if draws[7] < options.shade:
        angle, reach, origin = rng.uniform(0, 2 * np.pi), rng.uniform(*SHADE_REACH), rng.uniform(*SHADE_ORIGIN)
        crop = degradations.shade(crop, angle, reach * size, origin * size, rng.uniform(*SHADE_DEPTH))
    if draws[3] < options.blur:
        crop = _blur(crop, rng)
    elif (
        draws[8] < options.sharpen
    ):  # as downsampled photos of large faces are sharper than upsampled ones of small faces
        crop = degradations.sharpen(crop, rng.uniform(*SHARPEN_SIGMA) * size / 120, rng.uniform(*SHARPEN_AMOUNT))
    if draws[4] < options.shrink:
        crop = degradations.shrink(crop, int(size * rng.uniform(*SHRINK_SIDE)))
    if draws[5] < options.noise:
        crop = degradations.add_noise(crop, rng.normal(0.0, rng.uniform(*NOISE_SIGMA), crop.shape))
    if draws[6] < options.jpeg:
        crop = degradations.jpeg(crop, int(rng.integers(*JPEG_QUALITY)))
    return crop


def _blur(crop: ImageArray, rng: np.random.Generator) -> ImageArray:
    size = crop.shape[0]
    if rng.random() < DEFOCUS:
        return degradations.gaussian_blur(crop, rng.uniform(*BLUR_SIGMA) * size / 120)
    length = int(rng.integers(*motion_lengths(size)))
    return degradations.motion_blur(crop, degradations.motion_kernel(length, rng.uniform(0, np.pi)))


def motion_lengths(size: int) -> tuple[int, int]:
    """Lengths in px of motion blur for crops of side `size`: the smallest, and one more than the largest."""
    return 3, max(4, size // 14)


def _occlude(crop: ImageArray, rng: np.random.Generator) -> ImageArray:
    """Occlude part of the crop with a shape of one colour, of noise or of another part of the crop."""
    size = crop.shape[0]
    centre = rng.uniform(0, size, 2)
    axes = rng.uniform(*OCCLUDER_AXES, 2) * size
    angle = float(rng.uniform(0, 180))
    mask = degradations.occluder_mask(size, centre, axes, angle, bool(rng.random() < ELLIPSE))
    kind = rng.random()
    if kind < ONE_COLOUR:
        cover: NDArray[Any] = np.broadcast_to(rng.integers(0, 256, 3, dtype=np.uint8), crop.shape)
    elif kind < ONE_COLOUR + COARSE_TEXTURE:
        cover = degradations.coarse_texture(rng.integers(0, 256, (COARSE, COARSE, 3), dtype=np.uint8), size)
    else:
        shift = rng.integers(size // 4, size // 2, 2)
        cover = np.roll(crop, (int(shift[0]), int(shift[1])), axis=(0, 1))
    return degradations.occlude(crop, mask, cover)
