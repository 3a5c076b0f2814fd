"""Occluders in front of crops, in batches: ellipses and rectangles of one colour, of noise or copied from the crop.

Crops are (m, 3, S, S) float32 with whole numbers in 0..255. `occluder_mask` and `occlude` of `ddfa.data.degradations`
are the reference implementations.
"""

import torch
from torch import Tensor
from torch.nn import functional

from ddfa.train.augment.parameters import CropParameters
from ddfa.train.augment.tensors import apply_where


def occlude(crops: Tensor, parameters: CropParameters) -> None:
    """Add the occluders of the parameters to crops (n, 3, S, S), in place."""
    p = parameters
    shape = (p.centre, p.axes, p.angle, p.ellipse)
    apply_where(crops, p.occlude & (p.cover == 0), _one_colour, *shape, p.colour)
    apply_where(crops, p.occlude & (p.cover == 1), _coarse, *shape, p.coarse)
    apply_where(crops, p.occlude & (p.cover == 2), _elsewhere, *shape, p.offset)


def occluder_masks(size: int, centre: Tensor, axes: Tensor, angle: Tensor, ellipse: Tensor) -> Tensor:
    """Pixels (m, 1, S, S) of ellipses and rectangles.

    Args:
        size: side S of the crops in px.
        centre: (m, 2) px, x and y.
        axes: (m, 2) px, half the width and half the height before the rotation.
        angle: (m,) degrees.
        ellipse: (m,) bool, ellipse or rectangle.
    """
    # OpenCV also fills the pixels on the outline, and rounds the corners of rectangles down to whole pixels.
    is_ellipse = ellipse.unsqueeze(1)
    axes = axes + torch.where(is_ellipse, 0.5, 0.25)
    centre = centre - torch.where(is_ellipse, 0.0, 0.5)
    step = torch.arange(size, device=centre.device)
    x, y = step - centre[:, :1], step - centre[:, 1:]
    cos, sin = (f(torch.deg2rad(angle)).unsqueeze(1) for f in (torch.cos, torch.sin))
    u = ((cos * x).unsqueeze(1) + (sin * y).unsqueeze(2)) / axes[:, 0].view(-1, 1, 1)
    v = ((cos * y).unsqueeze(2) - (sin * x).unsqueeze(1)) / axes[:, 1].view(-1, 1, 1)
    round_ = u.square() + v.square() <= 1
    return torch.where(ellipse.view(-1, 1, 1), round_, torch.maximum(u.abs(), v.abs()) <= 1).unsqueeze(1)


def _one_colour(crops: Tensor, centre: Tensor, axes: Tensor, angle: Tensor, ellipse: Tensor, colour: Tensor) -> Tensor:
    mask = occluder_masks(crops.shape[-1], centre, axes, angle, ellipse)
    return torch.where(mask, colour.float().view(-1, 3, 1, 1), crops)


def _coarse(crops: Tensor, centre: Tensor, axes: Tensor, angle: Tensor, ellipse: Tensor, coarse: Tensor) -> Tensor:
    size = crops.shape[-1]
    mask = occluder_masks(size, centre, axes, angle, ellipse)
    smooth = functional.interpolate(coarse.permute(0, 3, 1, 2).float(), (size, size), mode="bicubic")
    return torch.where(mask, smooth.round_().clamp_(0, 255), crops)


def _elsewhere(crops: Tensor, centre: Tensor, axes: Tensor, angle: Tensor, ellipse: Tensor, offset: Tensor) -> Tensor:
    size = crops.shape[-1]
    mask = occluder_masks(size, centre, axes, angle, ellipse)
    step = torch.arange(size, device=crops.device)
    y, x = ((step - offset[:, axis, None]) % size for axis in (0, 1))
    index = (y.unsqueeze(2) * size + x.unsqueeze(1)).view(-1, 1, size * size).expand(-1, 3, -1)
    return torch.where(mask, crops.flatten(2).gather(2, index).view_as(crops), crops)
