"""RepNet: re-parameterised depthwise convolutions and feed-forward blocks, with few channels and low resolution.

Source of the blocks: Wang et al., "RepViT: Revisiting Mobile CNN From ViT Perspective" (CVPR 2024), without squeeze and
excitation, and with ReLU, which every runtime fuses with the preceding convolution.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ddfa.train.networks.base import Network


def _conv_norm(channels_in: int, channels_out: int, size: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(channels_in, channels_out, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out))


class RepDepthwise(nn.Module):
    """Depthwise 3x3 and 1x1 convolutions and the identity, summed; one 3x3 convolution once fused.

    Args:
        channels: of input and output.
        stride: above 1 there is no identity branch.
    """

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.wide = _conv_norm(channels, channels, 3, stride, channels)
        self.point = _conv_norm(channels, channels, 1, stride, channels)
        self.identity = stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, c, h / stride, w / stride)."""
        out: Tensor = self.wide(x) + self.point(x)
        return out + x if self.identity else out

    def fused(self) -> nn.Conv2d:
        """A single convolution that computes the same function in evaluation mode."""
        conv, point = _fold(self.wide), _fold(self.point)
        middle = point.weight[:, :, 0, 0] + float(self.identity)
        conv.weight.data[:, :, 1, 1] += middle
        assert conv.bias is not None and point.bias is not None
        conv.bias.data += point.bias
        return conv


class FeedForward(nn.Module):
    """Two pointwise convolutions with a ReLU in between, plus the identity.

    Args:
        channels: of input and output.
        expansion: ratio of hidden channels to channels.
    """

    def __init__(self, channels: int, expansion: int = 2) -> None:
        super().__init__()
        hidden = channels * expansion
        self.widen = _conv_norm(channels, hidden)
        self.relu = nn.ReLU(inplace=True)
        self.narrow = _conv_norm(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        out: Tensor = x + self.narrow(self.relu(self.widen(x)))
        return out


class RepNet(Network):
    """A stem, then stages of blocks, each at half the resolution of the previous one.

    Args:
        num_params: length P of the parameter vector.
        num_points: points K of the second head; 0 for none.
        stem: channels at half resolution.
        channels: of the stages.
        depths: blocks in each stage.
        embedding: channels of a ReLU layer between the last stage and pooling; 0 for none.
    """

    def __init__(
        self,
        num_params: int,
        num_points: int = 0,
        *,
        stem: int,
        channels: Sequence[int],
        depths: Sequence[int],
        embedding: int = 0,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv_norm(3, stem, 3, 2), nn.ReLU(inplace=True)]
        before = stem
        for width, depth in zip(channels, depths, strict=True):
            layers += [RepDepthwise(before, 2), _conv_norm(before, width)]
            layers.append(nn.ReLU(inplace=True) if before == stem else FeedForward(width))
            for _ in range(depth):
                layers += [RepDepthwise(width), FeedForward(width)]
            before = width
        if embedding:
            layers += [_conv_norm(before, embedding), nn.ReLU(inplace=True)]
            before = embedding
        self.body = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self._add_heads(before, num_params, num_points)

    def features(self, x: Tensor) -> Tensor:
        """Pooled features (n, F) of normalised images (n, 3, h, w)."""
        return torch.flatten(self.avgpool(self.body(x)), 1)

    def deployed(self) -> "RepNet":
        """A copy with fused branches, which computes the same function in evaluation mode."""
        network = copy.deepcopy(self).eval()
        for name, module in list(network.named_modules()):
            if isinstance(module, RepDepthwise):
                network.set_submodule(name, module.fused())
        return network


def _fold(layer: nn.Sequential) -> nn.Conv2d:
    """A convolution with bias that is equal to a convolution and its batch norm."""
    conv, norm = layer[0], layer[1]
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    return nn.utils.fuse_conv_bn_eval(conv.eval(), norm.eval())
