"""The network of a region: predicts blendshapes, geometry and uncertainty from a patch and auxiliary inputs."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ddfa.regress.patches import EYE_SIDE, MOUTH_SIDE
from ddfa.regress.regions import AUXILIARY_INPUTS, EYE_GEOMETRY, EYE_UNITS, MOUTH_GEOMETRY, MOUTH_UNITS
from ddfa.train.regions.config import Region


class RegionNetwork(nn.Module):
    """Convolutions over a patch, spatial pooling, and two linear layers that also read the auxiliary inputs.

    Args:
        side: of the patches, px; a multiple of 8.
        auxiliary: number F of auxiliary inputs.
        units: number U of blendshapes.
        geometry: number G of geometry outputs, in patch units.
        channels: at 1/4 and 1/8 of the resolution.
        depths: number of blocks at 1/4 and 1/8 of the resolution.
        maps: weighted means per channel in the pooling.
        hidden: width of the layer between pooling and outputs.
    """

    def __init__(
        self,
        side: int,
        auxiliary: int,
        units: int,
        geometry: int,
        channels: Sequence[int] = (40, 96),
        depths: Sequence[int] = (1, 2),
        maps: int = 2,
        hidden: int = 96,
    ) -> None:
        super().__init__()
        self.side, self.auxiliary, self.units, self.geometry = side, auxiliary, units, geometry
        layers: list[nn.Module] = [*_conv(3, channels[0], 5, 4, padding=1)]
        for stage, (width, depth) in enumerate(zip(channels, depths, strict=True)):
            if stage:
                before = channels[stage - 1]
                layers += [nn.Conv2d(before, before, 3, 2, 1, groups=before, bias=False), *_conv(before, width)]
            layers += [Block(width) for _ in range(depth)]
        self.body = nn.Sequential(*layers)
        self.pool: nn.Module = SpatialPooling(channels[-1], (side // 8) ** 2, maps)
        self.mix = nn.Sequential(nn.Linear(channels[-1] * maps + auxiliary, hidden), nn.ReLU(inplace=True))
        self.out = nn.Linear(hidden, units + geometry + 1)

    def forward(self, patches: Tensor, auxiliary: Tensor) -> Tensor:
        """Units, geometry and log of the expected squared error, (n, U + G + 1).

        Args:
            patches: (n, 3, side, side), (v - 127.5) / 128.
            auxiliary: (n, F).
        """
        pooled = self.pool(self.body(patches))
        out: Tensor = self.out(self.mix(torch.cat([pooled, auxiliary], dim=1)))
        return out

    def calibrated(self, rest: Tensor, gain: Tensor) -> "RegionNetwork":
        """A copy that outputs gain * (unit - rest), folded into the last layer at no cost.

        Args:
            rest: (U,) outputs for a neutral face, which become 0.
            gain: (U,) scales of the outputs; regression shrinks them towards the mean.
        """
        network = copy.deepcopy(self)
        with torch.no_grad():
            weight, bias = network.out.weight[: self.units], network.out.bias[: self.units]
            bias.sub_(rest).mul_(gain)
            weight.mul_(gain[:, None])
        return network

    def deployed(self) -> "RegionNetwork":
        """A copy that computes the same in evaluation mode, with the pooling as convolutions for fast inference."""
        network = copy.deepcopy(self).eval()
        pool, first = network.pool, network.mix[0]
        assert isinstance(pool, SpatialPooling) and isinstance(first, nn.Linear)
        channels, _, maps = pool.weight.shape
        # The pooling concatenates its maps channel by channel, its convolutions map by map.
        order = torch.arange(first.in_features)
        order[: channels * maps] = order[: channels * maps].view(channels, maps).T.flatten()
        first.weight.data = first.weight.data[:, order]
        network.pool = pool.fused()
        return network


class Block(nn.Module):
    """Residual block: a depthwise 3x3 convolution and two pointwise ones.

    Args:
        channels: in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False)
        self.widen = nn.Sequential(*_conv(channels, channels))
        self.narrow = nn.Sequential(*_conv(channels, channels)[:2])

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        out: Tensor = x + self.narrow(self.widen(self.wide(x)))
        return out


class SpatialPooling(nn.Module):
    """Weighted means over the positions of each channel, with learnt weights; unlike the mean, it retains position.

    Args:
        channels: C.
        positions: number P of positions of a channel.
        maps: number M of weights per position.
    """

    def __init__(self, channels: int, positions: int, maps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, positions, maps) / positions**0.5)
        self.norm = nn.BatchNorm1d(channels * maps)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, C, h, w) with h * w = P to (n, C * M)."""
        means = torch.matmul(x.flatten(2).permute(1, 0, 2), self.weight).permute(1, 0, 2)
        out: Tensor = torch.relu(self.norm(means.flatten(1)))
        return out

    def fused(self) -> "SpatialConvolutions":
        """Depthwise convolutions, one per map, with the batch norm folded in; equal in evaluation mode."""
        channels, positions, maps = self.weight.shape
        norm, side = self.norm, round(positions**0.5)
        assert norm.running_mean is not None and norm.running_var is not None
        with torch.no_grad():
            gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            bias = (norm.bias - norm.running_mean * gain).view(channels, maps)
            kernels = (self.weight * gain.view(channels, 1, maps)).view(channels, 1, side, side, maps)
            convolutions = []
            for number in range(maps):
                conv = nn.Conv2d(channels, channels, side, groups=channels)
                conv.weight.copy_(kernels[..., number])
                assert conv.bias is not None
                conv.bias.copy_(bias[:, number])
                convolutions.append(conv)
        return SpatialConvolutions(convolutions)


class SpatialConvolutions(nn.Module):
    """`SpatialPooling` as depthwise convolutions, which ONNX Runtime computes faster; (n, C, h, w) to (n, M * C).

    Args:
        convolutions: depthwise, with kernels of the size of the input; one per map.
    """

    def __init__(self, convolutions: Sequence[nn.Conv2d]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(convolutions)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, C, h, w) to (n, M * C)."""
        return torch.cat([torch.relu(conv(x)) for conv in self.convolutions], dim=1).flatten(1)


def new_network(region: Region) -> RegionNetwork:
    """An untrained network of a region."""
    if region == "eye":
        return RegionNetwork(EYE_SIDE, len(EYE_UNITS) + AUXILIARY_INPUTS, len(EYE_UNITS), EYE_GEOMETRY)
    return RegionNetwork(MOUTH_SIDE, len(MOUTH_UNITS) + AUXILIARY_INPUTS, len(MOUTH_UNITS), MOUTH_GEOMETRY)


def _conv(
    channels_in: int, channels_out: int, size: int = 1, stride: int = 1, groups: int = 1, padding: int | None = None
) -> tuple[nn.Module, ...]:
    pad = size // 2 if padding is None else padding
    conv = nn.Conv2d(channels_in, channels_out, size, stride, pad, groups=groups, bias=False)
    return conv, nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True)
