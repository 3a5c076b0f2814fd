"""Colour, lighting and noise of crops in batches.

Crops are (m, 3, S, S) float32 RGB with whole numbers in 0..255, in and out: rounded after each operation as in the
reference implementations, the functions of the same names in `ddfa.data.degradations`.
"""

import torch
from torch import Tensor


def recolour(crops: Tensor, gain: Tensor, gamma: Tensor, offset: Tensor) -> Tensor:
    """Map values v in 0..1 to gain v^gamma + offset, clipped.

    Args:
        crops: (m, 3, S, S).
        gain: (m, 3) of each channel.
        gamma: (m,).
        offset: (m,).
    """
    # A table of 256 values per crop and channel: a power for each pixel costs several times as much.
    ramp = torch.linspace(0, 1, 256, device=crops.device) ** gamma.view(-1, 1, 1)
    table = (gain.unsqueeze(-1) * ramp + offset.view(-1, 1, 1)).clamp_(0, 1).mul_(255).floor_()
    return table.gather(2, crops.flatten(2).long()).view_as(crops)


def to_grey(crops: Tensor) -> Tensor:
    """Replace all channels by the luma of ITU-R BT.601."""
    luma = 0.299 * crops[:, 0] + 0.587 * crops[:, 1] + 0.114 * crops[:, 2]
    return luma.add_(0.5).floor_().unsqueeze(1).expand_as(crops)


def shade(crops: Tensor, angle: Tensor, reach: Tensor, origin: Tensor, depth: Tensor) -> Tensor:
    """Darken one side of each crop, with a soft or a sharp transition.

    Args:
        crops: (m, 3, S, S).
        angle: (m,) radians; direction in which it darkens.
        reach: (m,) px; length of the transition.
        origin: (m,) px; x and y of a point in the middle of the transition.
        depth: (m,) share of the light lost on the dark side.
    """
    along = torch.arange(crops.shape[-1], device=crops.device) - origin.view(-1, 1)
    across = torch.cos(angle).view(-1, 1, 1) * along.unsqueeze(1)
    distance = across + torch.sin(angle).view(-1, 1, 1) * along.unsqueeze(2)
    light = 1 - depth.view(-1, 1, 1) * torch.sigmoid(distance.mul_(4 / reach.view(-1, 1, 1)))
    return (crops * light.unsqueeze(1)).floor_()


def add_noise(crops: Tensor, noise: Tensor) -> Tensor:
    """Add noise (m, 3, S, S) in grey levels."""
    return (crops + noise).clamp_(0, 255).floor_()
