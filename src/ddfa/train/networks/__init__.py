"""The network architectures, by name.

A full name is `arch.tag`, for instance `mobilenet_v1_050.open`: the architecture, then the head model whose parameters
it regresses.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from torch import Tensor

from ddfa.errors import ModelError
from ddfa.train.networks.base import Network, normalise
from ddfa.train.networks.mobilenet_v1 import MobileNetV1
from ddfa.train.networks.pooling import LearntPool, Pooling
from ddfa.train.networks.repnet import RepNet

ARCHITECTURES: Final[dict[str, Callable[..., Network]]] = {
    "mobilenet_v1_025": partial(MobileNetV1, width=0.25),
    "mobilenet_v1_050": partial(MobileNetV1, width=0.5),
    "mobilenet_v1_070": partial(MobileNetV1, width=0.7, multiple=16),
    "mobilenet_v1_075": partial(MobileNetV1, width=0.75),
    "mobilenet_v1_100": partial(MobileNetV1, width=1.0),
    "mobilenet_v1_200": partial(MobileNetV1, width=2.0),
    "repnet_t": partial(RepNet, stem=16, channels=(24, 40, 80, 160), depths=(0, 1, 3, 0), embedding=320),
    "repnet_xs": partial(RepNet, stem=16, channels=(32, 64, 128, 256), depths=(1, 1, 4, 0), embedding=512),
    "repnet_m": partial(RepNet, stem=24, channels=(48, 96, 192, 384), depths=(2, 2, 6, 2), embedding=512),
    "repnet_s": partial(RepNet, stem=16, channels=(32, 64, 128, 256), depths=(1, 2, 5, 0)),
}


def create(name: str, num_params: int, num_points: int = 0, pooling: Pooling = "mean") -> Network:
    """Create an untrained network.

    Args:
        name: of the architecture; a tag after a dot is ignored.
        num_params: length P of the parameter vector.
        num_points: points of the second, training-only head; 0 for none.
        pooling: of the last feature map: its plain mean, or `LearntPool`.

    Raises:
        ModelError: there is no such architecture.
    """
    arch = name.partition(".")[0]
    if arch not in ARCHITECTURES:
        raise ModelError(f"there is no architecture '{arch}': choose one of {', '.join(ARCHITECTURES)}")
    network = ARCHITECTURES[arch](num_params=num_params, num_points=num_points)
    if pooling == "learnt":
        network.avgpool = LearntPool(network.num_features)
    return network


def pooling_of(state: Mapping[str, Tensor]) -> Pooling:
    """Return the pooling that the tensors of a network are for."""
    return "learnt" if "avgpool.weight" in state else "mean"


__all__ = ["ARCHITECTURES", "MobileNetV1", "Network", "Pooling", "RepNet", "create", "normalise", "pooling_of"]
