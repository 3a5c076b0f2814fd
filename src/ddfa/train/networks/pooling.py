"""Global pooling with learnt spatial weights."""

from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Pooling = Literal["mean", "learnt"]
SIDE: Final = 4  # of the last feature map for a crop of 120 px


class LearntPool(nn.Module):
    """Weighted mean over the last feature map, with one weight per channel and position.

    The plain mean forgets where in the face a feature was found, which the differences between left and right need.
    The weights start as the plain mean, so that a network trained with it computes the same at first. In an exported
    network this is one depthwise convolution over the whole map, as cheap as the mean.

    Args:
        channels: of the feature map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, 1, SIDE, SIDE), 1 / SIDE**2))

    def forward(self, x: Tensor) -> Tensor:
        """Pool (n, c, h, w) to (n, c, 1, 1); for maps of another size the weights are resampled, their sum kept."""
        weight: Tensor = self.weight
        size = (x.shape[2], x.shape[3])
        if size != (SIDE, SIDE):
            weight = functional.interpolate(weight, size, mode="area")
            weight = weight * (SIDE**2 / (size[0] * size[1]))
        return functional.conv2d(x, weight, groups=x.shape[1])
