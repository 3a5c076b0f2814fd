"""The network that estimates the roll of a face."""

from typing import Final

import torch
from torch import Tensor, nn

from ddfa.regress.roll import SIDE

SECTORS: Final = 12  # of the auxiliary classification, 30° each


class RollNet(nn.Module):
    """Depthwise separable convolutions on the disc inside the crop; 0.8 M multiply-adds, 30,000 weights.

    The last convolution has the size of its input: pooling with a learnt weight per channel and position, since the
    angle is told by where in the crop the features are.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_activated(nn.Conv2d(3, 24, 3, 2, 1, bias=False)),
            *_separable(24, 48, 2),
            *_separable(48, 64, 1),
            *_separable(64, 96, 2),
            *_separable(96, 128, 1),
            *_activated(nn.Conv2d(128, 128, SIDE // 8, groups=128, bias=False)),
            nn.Flatten(),
        )
        self.direction = nn.Linear(128, 2)
        self.sectors = nn.Linear(128, SECTORS)
        offset = torch.arange(SIDE) - (SIDE - 1) / 2
        disc = offset[:, None] ** 2 + offset[None] ** 2 <= (SIDE / 2) ** 2
        self.disc: Tensor
        self.register_buffer("disc", disc.float()[None, None])

    def forward(self, x: Tensor) -> Tensor:
        """Directions (n, 2), cosine and sine of the roll, of normalised crops (n, 3, SIDE, SIDE)."""
        direction: Tensor = self.direction(self.embed(x))
        return direction

    def embed(self, x: Tensor) -> Tensor:
        """Features (n, 128), from which `sectors` predicts in training the sector of the circle that the roll is in."""
        features: Tensor = self.features((x * self.disc).contiguous(memory_format=torch.channels_last))
        return features


def _activated(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU()]


def _separable(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [
        *_activated(nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)),
        *_activated(nn.Conv2d(inputs, outputs, 1, bias=False)),
    ]
