"""The network of a region: a patch, and a few numbers beside it, to face units, places and a confidence."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class RegionNetwork(nn.Module):
    """Convolutions over a patch, a pooling that keeps places, and two layers that also read further inputs.

    Args:
        side: of the patches, px; a multiple of 8.
        further: numbers F beside the patch.
        units: face units U.
        places: other values, in patch units.
        channels: at a quarter and an eighth of the patch's side.
        depths: blocks at a quarter and an eighth of it.
        maps: weighted means over the places that each channel gives.
        hidden: width of the layer between pooling and output.
    """

    def __init__(
        self,
        side: int,
        further: int,
        units: int,
        places: int,
        channels: Sequence[int] = (40, 96),
        depths: Sequence[int] = (1, 2),
        maps: int = 2,
        hidden: int = 96,
    ) -> None:
        super().__init__()
        self.side, self.further, self.units, self.places = side, further, units, places
        layers: list[nn.Module] = [*_conv(3, channels[0], 5, 4, padding=1)]
        for stage, (width, depth) in enumerate(zip(channels, depths, strict=True)):
            if stage:
                before = channels[stage - 1]
                layers += [nn.Conv2d(before, before, 3, 2, 1, groups=before, bias=False), *_conv(before, width)]
            layers += [Block(width) for _ in range(depth)]
        self.body = nn.Sequential(*layers)
        self.pool: nn.Module = PlacePooling(channels[-1], (side // 8) ** 2, maps)
        self.mix = nn.Sequential(nn.Linear(channels[-1] * maps + further, hidden), nn.ReLU(inplace=True))
        self.out = nn.Linear(hidden, units + places + 1)

    def forward(self, patches: Tensor, further: Tensor) -> Tensor:
        """Units, places and log of the expected squared error, (n, U + places + 1).

        Args:
            patches: (n, 3, side, side), (v - 127.5) / 128.
            further: (n, F).
        """
        pooled = self.pool(self.body(patches))
        out: Tensor = self.out(self.mix(torch.cat([pooled, further], dim=1)))
        return out

    def calibrated(self, rest: Tensor, gain: Tensor) -> "RegionNetwork":
        """A copy whose units are gain * (unit - rest), folded into the last layer.

        Args:
            rest: (U,) the teacher's scores of a neutral face, which become 0.
            gain: (U,) from the teacher's amplitude to the head's.
        """
        network = copy.deepcopy(self)
        with torch.no_grad():
            weight, bias = network.out.weight[: self.units], network.out.bias[: self.units]
            bias.sub_(rest).mul_(gain)
            weight.mul_(gain[:, None])
        return network

    def deployed(self) -> "RegionNetwork":
        """A copy that computes the same in evaluation mode, as cheap as it can be had."""
        network = copy.deepcopy(self).eval()
        pool, first = network.pool, network.mix[0]
        assert isinstance(pool, PlacePooling) and isinstance(first, nn.Linear)
        channels, _, maps = pool.weight.shape
        order = torch.arange(first.in_features)
        order[: channels * maps] = order[: channels * maps].view(channels, maps).T.flatten()
        first.weight.data = first.weight.data[:, order]
        network.pool = pool.fused()
        return network


class Block(nn.Module):
    """A depthwise 3x3 convolution and two pointwise ones, beside the identity.

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


class PlacePooling(nn.Module):
    """Weighted means over the places of each channel, with learnt weights.

    Args:
        channels: C.
        places: P of a channel.
        maps: M weights for each place.
    """

    def __init__(self, channels: int, places: int, maps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, places, maps) / places**0.5)
        self.norm = nn.BatchNorm1d(channels * maps)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, C, h, w) with h * w = P to (n, C * M)."""
        means = torch.matmul(x.flatten(2).permute(1, 0, 2), self.weight).permute(1, 0, 2)
        out: Tensor = torch.relu(self.norm(means.flatten(1)))
        return out

    def fused(self) -> "PlaceConvolutions":
        """Depthwise convolutions that compute the same in evaluation mode, in the order of their maps."""
        channels, places, maps = self.weight.shape
        norm, side = self.norm, round(places**0.5)
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
        return PlaceConvolutions(convolutions)


class PlaceConvolutions(nn.Module):
    """The pooling of `PlacePooling` as runtimes do it fast; (n, C, h, w) to (n, M * C).

    Args:
        convolutions: depthwise, as large as what they see; one for each map.
    """

    def __init__(self, convolutions: Sequence[nn.Conv2d]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(convolutions)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, C, h, w) to (n, M * C)."""
        return torch.cat([torch.relu(conv(x)) for conv in self.convolutions], dim=1).flatten(1)


def _conv(
    channels_in: int, channels_out: int, size: int = 1, stride: int = 1, groups: int = 1, padding: int | None = None
) -> tuple[nn.Module, ...]:
    pad = size // 2 if padding is None else padding
    conv = nn.Conv2d(channels_in, channels_out, size, stride, pad, groups=groups, bias=False)
    return conv, nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True)
