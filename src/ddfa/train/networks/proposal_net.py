"""The network that proposes where in an image a face may be."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddfa.regress.sampling import MIDDLE, RANGE


class ProposalNet(nn.Module):
    """Fully convolutional, on luma: 200 multiply-adds per pixel, a seventh of YuNet's, 25,000 weights.

    The first convolution reduces the image by 4, because layers at a higher resolution would take most of the time.
    A branch at half the resolution of the output sees the surroundings.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_activated(nn.Conv2d(1, 16, 6, 4, 1, bias=False)), *_separable(16, 48, 2))
        self.near = nn.Sequential(*_separable(48, 48, 1), *_separable(48, 48, 1))
        self.around = nn.Sequential(
            *_separable(48, 64, 2), *_separable(64, 64, 1), *_separable(64, 64, 1), *_separable(64, 48, 1)
        )
        self.score = nn.Conv2d(48, 1, 1)
        self._folded = False

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a face around each cell.

        Args:
            x: (n, 1, H, W) float32 luma, 0 to 255; H and W are multiples of 16.

        Returns:
            (n, 1, H / 8, W / 8).
        """
        stem = self.stem(x if self._folded else (x - MIDDLE) / RANGE)
        # The score is linear: it is taken before the sum, so that one channel is enlarged instead of 48.
        around = functional.conv2d(self.around(stem), self.score.weight)
        logits: Tensor = self.score(self.near(stem)) + functional.interpolate(around, scale_factor=2.0, mode="nearest")
        return logits

    def fold(self, logit: float) -> None:
        """Make the trained network faster: the normalisation of the input moves into the first layer.

        Only the outermost cells change slightly, since the border is padded with black instead of grey.

        Args:
            logit: is added to all logits.
        """
        first, normalisation = self.stem[0], self.stem[1]
        assert isinstance(first, nn.Conv2d) and isinstance(normalisation, nn.BatchNorm2d)
        assert self.score.bias is not None and normalisation.running_mean is not None
        with torch.no_grad():
            first.weight /= RANGE
            normalisation.running_mean += MIDDLE * first.weight.sum(dim=(1, 2, 3))
            self.score.bias += logit
        self._folded = True


def _activated(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU()]


def _separable(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [
        *_activated(nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)),
        *_activated(nn.Conv2d(inputs, outputs, 1, bias=False)),
    ]
