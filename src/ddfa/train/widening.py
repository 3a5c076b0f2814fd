"""Start a wide network from a narrow one of the same family, which is cheaper to train.

Source of the idea: Chen, Goodfellow and Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer" (ICLR 2016).
"""

import torch
from torch import Tensor

from ddfa.train.networks import MobileNetV1


def widened(narrow: dict[str, Tensor], network: MobileNetV1, seed: int = 0) -> dict[str, Tensor]:
    """Tensors for a wide network that computes, at first, just what a narrower one does.

    Each wide channel copies a narrow one.  Whoever reads the copies takes a random share of each, so that they are
    given different gradients and part in training.

    Args:
        narrow: tensors of a MobileNet-V1 of a smaller width, by name.
        network: the wide one, with the same heads; not changed.
        seed: of the shares.

    Returns:
        Tensors of the wide network, by name; those that `narrow` does not have are left out.
    """
    random = torch.Generator().manual_seed(seed)
    source, share = torch.arange(3), torch.ones(3)  # which narrow channel each channel copies, and its share
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
