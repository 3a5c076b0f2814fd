"""Initialise a wide network from a narrower one of the same family, which is cheaper to train.

Source: Chen, Goodfellow and Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer" (ICLR 2016).
"""

import torch
from torch import Tensor

from ddfa.train.networks import MobileNetV1


def widened(narrow: dict[str, Tensor], network: MobileNetV1, seed: int = 0) -> dict[str, Tensor]:
    """Tensors for a wide network that initially computes the same function as a narrower one.

    Each wide channel is a copy of a narrow one. The next layer divides its weights among the copies by random shares,
    so that the copies receive different gradients and diverge in training.

    Args:
        narrow: tensors of a MobileNet-V1 of a smaller width, by name.
        network: the wide one, with the same heads; not changed.
        seed: of the shares.

    Returns:
        Tensors of the wide network, by name, without those that `narrow` does not have.
    """
    random = torch.Generator().manual_seed(seed)
    source, share = torch.arange(3), torch.ones(3)  # the narrow channel that each channel copies, and its share
    state = dict[str, Tensor]()
    for name, wide in network.state_dict().items():
        if name not in narrow:
            continue
        old = narrow[name]
        if name.startswith("fc"):
            state[name] = old if old.ndim == 1 else old[:, source] * share
        elif old.ndim == 4 and old.shape[1] == 1 and len(wide) == len(source):  # depthwise
            state[name] = old[source]
        elif old.ndim == 4:
            columns = old[:, source] * share[:, None, None]
            source, share = _copies(len(old), len(wide), random)
            state[name] = columns[source]
        else:
            state[name] = old[source] if old.ndim else old
    return state


def _copies(narrow: int, wide: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """The narrow channel that each of `wide` channels copies, and shares that sum to 1 over its copies."""
    source = torch.arange(wide) % narrow
    weight = 0.5 + torch.rand(wide, generator=random)
    return source, weight / torch.zeros(narrow).index_add(0, source, weight)[source]
