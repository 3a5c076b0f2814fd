"""MobileNet-V1 regressors with the layer names of the original 3DDFA checkpoints.

Source: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications" (2017).
"""

import math

import torch
from torch import Tensor, nn

from ddfa.train.networks.base import Network

# (name, output channels at width 1, stride), as `mobilenet_1` of 3DDFA V1 and V2.
_BLOCKS: tuple[tuple[str, int, int], ...] = (
    ("dw2_1", 64, 1),
    ("dw2_2", 128, 2),
    ("dw3_1", 128, 1),
    ("dw3_2", 256, 2),
    ("dw4_1", 256, 1),
    ("dw4_2", 512, 2),
    ("dw5_1", 512, 1),
    ("dw5_2", 512, 1),
    ("dw5_3", 512, 1),
    ("dw5_4", 512, 1),
    ("dw5_5", 512, 1),
    ("dw5_6", 1024, 2),
    ("dw6", 1024, 1),
)


class DepthwiseSeparable(nn.Module):
    """Depthwise 3x3 convolution and pointwise 1x1 convolution, each with batch norm and ReLU."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(channels_in, channels_in, 3, stride, padding=1, groups=channels_in, bias=False)
        self.bn_dw = nn.BatchNorm2d(channels_in)
        self.conv_sep = nn.Conv2d(channels_in, channels_out, 1, bias=False)
        self.bn_sep = nn.BatchNorm2d(channels_out)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c_in, h, w) to (n, c_out, h / stride, w / stride)."""
        x = self.relu(self.bn_dw(self.conv_dw(x)))
        out: Tensor = self.relu(self.bn_sep(self.conv_sep(x)))
        return out


class MobileNetV1(Network):
    """MobileNet-V1 with the layers and names of the original 3DDFA networks, whose checkpoints can be loaded.

    (V2 files call `fc` `fc_param`.)

    Args:
        num_params: length P of the parameter vector.
        width: channel multiplier; channels are `int(c * width)`.
        num_points: points K of the second head; 0 for none.
        multiple: round channels to the nearest multiple of this instead, which is fast if it fills vector registers.
    """

    def __init__(self, num_params: int = 62, width: float = 1.0, num_points: int = 0, multiple: int = 1) -> None:
        super().__init__()

        def scaled(base: int) -> int:
            return int(base * width) if multiple == 1 else max(1, round(base * width / multiple)) * multiple

        channels = scaled(32)
        self.conv1 = nn.Conv2d(3, channels, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        for name, base, stride in _BLOCKS:
            self.add_module(name, DepthwiseSeparable(channels, scaled(base), stride))
            channels = scaled(base)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self._add_heads(channels, num_params, num_points)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
                nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / fan_out))

    def features(self, x: Tensor) -> Tensor:
        """Pooled features (n, F) of normalised images (n, 3, h, w)."""
        x = self.relu(self.bn1(self.conv1(x)))
        for name, _, _ in _BLOCKS:
            x = self.get_submodule(name)(x)
        return torch.flatten(self.avgpool(x), 1)
