"""Crops for given random parameters, one at a time with OpenCV: the reference implementation, and faster on CPUs."""

import numpy as np

from ddfa.arrays import Float32, Float64, UInt8
from ddfa.data import degradations
from ddfa.data.augmentation import warp_with_border
from ddfa.train.augment.parameters import CropParameters


def reference_crop(photo: UInt8, affine: Float64, side: int, p: CropParameters, k: int, noise: Float32) -> UInt8:
    """One crop (R, R, 3) uint8 RGB.

    Args:
        photo: (H, W, 3) uint8 RGB.
        affine: (2, 3) similarity, image px to crop px.
        side: R in px.
        p: random parameters of many crops.
        k: number of the crop among them.
        noise: (R, R, 3) of unit variance; not read for crops without noise.
    """
    crop = warp_with_border(photo, affine, side, None if p.reflected[k] else p.border[k])
    if p.occlude[k]:
        crop = _occluded(crop, p, k)
    if p.recolour[k]:
        crop = degradations.recolour(crop, p.gain[k], p.gamma[k], p.brightness[k])
    if p.grey[k]:
        crop = degradations.to_grey(crop)
    if p.shade[k]:
        crop = degradations.shade(crop, p.shade_angle[k], p.shade_reach[k], p.shade_origin[k], p.shade_depth[k])
    if p.gaussian[k]:
        blurred = p.amount[k] == -1
        sigma, amount = float(p.sigma[k]), float(p.amount[k])
        crop = degradations.gaussian_blur(crop, sigma) if blurred else degradations.sharpen(crop, sigma, amount)
    if p.motion[k]:
        crop = degradations.motion_blur(crop, degradations.motion_kernel(int(p.motion_length[k]), p.motion_angle[k]))
    if p.shrink[k]:
        crop = degradations.shrink(crop, int(p.side[k]))
    if p.noise[k]:
        crop = degradations.add_noise(crop, noise * np.float32(p.noise_sigma[k]))
    return degradations.jpeg(crop, int(p.quality[k])) if p.jpeg[k] else crop


def _occluded(crop: UInt8, p: CropParameters, k: int) -> UInt8:
    size = len(crop)
    mask = degradations.occluder_mask(size, p.centre[k], p.axes[k], p.angle[k], bool(p.ellipse[k]))
    if p.cover[k] == 0:
        return degradations.occlude(crop, mask, np.broadcast_to(p.colour[k], crop.shape))
    if p.cover[k] == 1:
        return degradations.occlude(crop, mask, degradations.coarse_texture(p.coarse[k], size))
    y, x = p.offset[k]
    return degradations.occlude(crop, mask, np.roll(crop, (int(y), int(x)), axis=(0, 1)))
