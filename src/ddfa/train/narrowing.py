"""Initialise a small RepNet from a larger one: every stage keeps its strongest channels and its first blocks.

Source of the criterion: Li et al., "Pruning Filters for Efficient ConvNets" (ICLR 2017). The blocks of a stage add to
the same channels, so that these are ranked by all that the stage writes to them.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ddfa.train.networks import RepNet

_EPSILON = 1e-5  # of batch norm


def narrowed(large: dict[str, Tensor], network: RepNet) -> dict[str, Tensor]:
    """Tensors for a small network, taken from a larger one.

    Args:
        large: tensors of a RepNet with as many stages, each at least as wide and deep, by name.
        network: the small one, with the same heads; not changed.

    Returns:
        Tensors of the small network, by name. It approximates the larger one and is to be trained further.
    """
    small = network.state_dict()
    state = dict[str, Tensor]()
    kept = torch.arange(3)  # the channels of the larger network that arrive at the layer at hand

    def cut(target: str, source: str, rows: Tensor, columns: Tensor | None) -> None:
        """Copy a convolution and its batch norm; a depthwise one has no columns."""
        for name in small:
            if name.startswith(f"{target}."):
                tensor = large[source + name.removeprefix(target)]
                tensor = tensor[rows] if tensor.ndim else tensor
                state[name] = tensor[:, columns] if tensor.ndim == 4 and columns is not None else tensor

    for targets, sources in zip(_stages(small), _stages(large), strict=True):
        pairs = list(zip(targets, sources, strict=False))
        for target, source in pairs:
            if f"{target}.wide.0.weight" in small:
                cut(f"{target}.wide", f"{source}.wide", kept, None)
                cut(f"{target}.point", f"{source}.point", kept, None)
            elif f"{target}.widen.0.weight" in small:
                hidden = _strongest(large, [f"{source}.widen"], len(small[f"{target}.widen.0.weight"]))
                cut(f"{target}.widen", f"{source}.widen", hidden, kept)
                cut(f"{target}.narrow", f"{source}.narrow", kept, hidden)
            else:
                blocks = [f"{name}.narrow" for _, name in pairs if f"{name}.narrow.0.weight" in large]
                written = _strongest(large, [source, *blocks], len(small[f"{target}.0.weight"]))
                cut(target, source, written, kept)
                kept = written
    for name in small:
        if name in large and not name.startswith("body."):
            tensor = large[name]
            if name.startswith("avgpool"):
                tensor = tensor[kept]
            state[name] = tensor[:, kept] if name in ("fc.weight", "fc_lm.weight") else tensor
    return state


def is_larger(state: dict[str, Tensor], network: RepNet) -> bool:
    """Whether tensors are those of a RepNet that `narrowed` can start from: larger in some stage, smaller in none."""
    sizes, own = _sizes(state), _sizes(network.state_dict())
    larger = [one >= other for stage in zip(sizes, own, strict=False) for one, other in zip(*stage, strict=True)]
    return len(sizes) == len(own) and sizes != own and all(larger)


def _sizes(state: dict[str, Tensor]) -> list[tuple[int, int]]:
    """Number of layers and of channels of each stage."""

    def channels(stage: list[str]) -> int:
        return next(len(state[name]) for layer in stage if (name := f"{layer}.0.weight") in state)

    return [(len(stage), channels(stage)) for stage in _stages(state)]


def _stages(state: dict[str, Tensor]) -> list[list[str]]:
    """The names of the layers with tensors, by stage: the stem, the stages and the embedding, if there is one."""
    layers = list(dict.fromkeys(".".join(name.split(".")[:2]) for name in state if name.startswith("body.")))
    stages = list[list[str]]()
    for layer, after in pairwise([*layers, ""]):
        plain = f"{layer}.0.weight" in state
        reducing = f"{layer}.wide.0.weight" in state and f"{after}.0.weight" in state
        follows = bool(stages) and len(stages[-1]) == 1 and f"{stages[-1][0]}.0.weight" not in state
        if reducing or (plain and not follows):
            stages.append([])
        stages[-1].append(layer)
    return stages


def _strongest(state: dict[str, Tensor], writers: Sequence[str], count: int) -> Tensor:
    """Indices, ascending, of the output channels with the largest weights (L1), folded with their batch norms."""
    strength = torch.zeros(len(state[f"{writers[0]}.0.weight"]))
    for name in writers:
        scale = state[f"{name}.1.weight"] / (state[f"{name}.1.running_var"] + _EPSILON).sqrt()
        strength += state[f"{name}.0.weight"].abs().flatten(1).sum(1) * scale.abs()
    return strength.topk(count).indices.sort().values
