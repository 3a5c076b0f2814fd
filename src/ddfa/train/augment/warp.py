"""Bilinear similarity warps of many photos into crops of one size, on their device."""

import numpy as np
import torch
from torch import Tensor

from ddfa.arrays import Bools, Float64, Int64
from ddfa.train.augment.geometry import inverses, reductions
from ddfa.train.augment.photos import DevicePhotos
from ddfa.train.augment.tensors import constant, on_device


def warp(photos: DevicePhotos, number: Int64, affine: Float64, size: int, reflected: Bools, border: Int64) -> Tensor:
    """Sample a crop of each of m photos.

    `ddfa.data.augmentation.warp_with_border` is the reference implementation.

    Args:
        photos: the photos.
        number: (m,) photo of each crop.
        affine: (m, 2, 3) similarities, image px to crop px.
        size: side S of the crops in px.
        reflected: (m,) whether the photo is continued by its reflection.
        border: (m, 3) colour in 0..255 outside the photo where it is not.

    Returns:
        (m, 3, S, S) float32, whole numbers in 0..255.
    """
    device = photos.pixels.device
    factor = reductions(affine)
    crops = torch.empty(len(number), 3, size, size, device=device)
    # Grouped on the host, so that the common case, a reduction of 1, costs four reads per pixel and no mask.
    for block in np.unique(factor):
        for mirrored in (False, True):
            index = np.flatnonzero((factor == block) & (reflected == mirrored))
            if len(index):
                colour = None if mirrored else border[index]
                crops[on_device(index, device)] = _sample(
                    photos, number[index], affine[index], size, int(block), colour
                )
    return crops


def _sample(
    photos: DevicePhotos, number: Int64, affine: Float64, size: int, block: int, border: Int64 | None
) -> Tensor:
    """Crops (m, 3, S, S) from photos reduced by the factor `block`; `border` (m, 3), or None for reflection."""
    device = photos.pixels.device
    reduced = affine * [block, block, 1.0]
    reduced[..., 2] += affine[..., :2].sum(axis=-1) * (block - 1) / 2  # the first block's centre is not at pixel (0, 0)
    inverse = on_device(inverses(reduced).astype(np.float32), device)
    rows = on_device(number, device)
    first, height, width = (values[rows].view(-1, 1, 1) for values in (photos.start, photos.height, photos.width))
    step = torch.arange(size, device=device, dtype=torch.float32)
    x, y = (
        inverse[:, k, 0].view(-1, 1, 1) * step
        + inverse[:, k, 1].view(-1, 1, 1) * step.view(-1, 1)
        + inverse[:, k, 2].view(-1, 1, 1)
        for k in (0, 1)
    )
    left, top = x.floor(), y.floor()
    x, y = x.sub_(left), y.sub_(top)
    columns = [_inside(left.int() + k, (width // block).clamp_min(1).int(), border is None) for k in (0, 1)]
    lines = [_inside(top.int() + k, (height // block).clamp_min(1).int(), border is None) for k in (0, 1)]
    crops = torch.zeros(len(number), 3, size, size, device=device)
    covered = torch.zeros(len(number), size, size, device=device)
    for k, (line, line_inside) in enumerate(lines):
        offset = first + line.long() * block * width
        for j, (column, column_inside) in enumerate(columns):
            weight = (x if j else 1 - x) * (y if k else 1 - y)
            if border is not None:
                weight = weight * (line_inside & column_inside)
                covered += weight
            crops.addcmul_(weight.unsqueeze(1), _block_mean(photos.pixels, offset + column * block, width, block))
    if border is not None:
        outside = (1 - covered).unsqueeze(1)
        crops.addcmul_(outside, on_device(border.astype(np.float32), device).view(-1, 3, 1, 1))
    return crops.round_().clamp_(0, 255)


def _inside(position: Tensor, length: Tensor, reflected: bool) -> tuple[Tensor, Tensor]:
    """Positions (m, S, S) moved into 0..length - 1 (m, 1, 1), by reflection or clamping, and which were inside."""
    last = length - 1
    if reflected:
        # Period 2 (length - 1): the border pixel itself is not repeated.
        position = position.abs() % (2 * last).clamp_min(1)
        return torch.minimum(position, 2 * last - position).clamp_min_(0), torch.ones_like(position, dtype=torch.bool)
    inside = (position >= 0) & (position <= last)
    return torch.minimum(position, last).clamp_min_(0), inside


def _block_mean(pixels: Tensor, corner: Tensor, width: Tensor, block: int) -> Tensor:
    """Mean (m, 3, S, S) over blocks of pixels; `corner` (m, S, S) is the number of each block's first pixel."""
    if block == 1:
        return _channels(pixels, corner)
    total = _channels(pixels, corner)
    for step in range(1, block * block):
        total += _channels(pixels, corner + (step // block) * width + step % block)
    return total.div_(block * block).round_()


def _channels(pixels: Tensor, number: Tensor) -> Tensor:
    """Channels (m, 3, S, S) float32 of the pixels `number` (m, S, S)."""
    words = pixels.index_select(0, number.flatten()).view(number.shape).unsqueeze(1)
    shifts = constant((0, 8, 16), torch.int32, pixels.device).view(3, 1, 1)
    return ((words >> shifts) & 255).float()
