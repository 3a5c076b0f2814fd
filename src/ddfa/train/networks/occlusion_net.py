"""The network that segments what occludes a face."""

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

_CHANNELS: Final = (16, 24, 40, 64, 96)  # at 1/2, 1/4, ... of the input resolution


class OcclusionNet(nn.Module):
    """A small U-Net of depthwise separable convolutions that predicts occlusion logits at half the resolution.

    Source of the architecture: Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image
    Segmentation" (MICCAI 2015).
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _conv(7, _CHANNELS[0], 3, 2)
        pairs = list(pairwise(_CHANNELS))
        self.down = nn.ModuleList(
            nn.Sequential(_separable(a, b, 2), _separable(b, b), _separable(b, b)) for a, b in pairs
        )
        self.up = nn.ModuleList(_separable(a + b, a) for a, b in reversed(pairs))
        self.last = nn.Conv2d(_CHANNELS[0], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 1, S / 2, S / 2) of inputs (n, 7, S, S)."""
        levels = [self.stem(x)]
        for down in self.down:
            levels.append(down(levels[-1]))
        out = levels.pop()
        for up in self.up:
            skip = levels.pop()
            out = functional.interpolate(out, scale_factor=2.0, mode="bilinear", align_corners=False)
            out = up(torch.cat([skip, out], dim=1))
        logits: Tensor = self.last(out)
        return logits


class WithProbabilities(nn.Module):
    """An occlusion network that outputs probabilities in place of logits: what is exported."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities (n, 1, S / 2, S / 2) of inputs (n, 7, S, S)."""
        return torch.sigmoid(self.network(x))


def _conv(channels_in: int, channels_out: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(channels_in, channels_out, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True))


def _separable(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(_conv(channels_in, channels_in, 3, stride, channels_in), _conv(channels_in, channels_out, 1))
