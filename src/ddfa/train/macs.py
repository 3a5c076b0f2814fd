"""The cost of a network."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def count_macs(network: nn.Module, size: int = 120) -> int:
    """Multiply-accumulate operations of convolutions and linear layers for one crop.

    Args:
        network: maps (1, 3, size, size) to anything; run once in evaluation mode, in which it is left.
        size: side of the crop in px.
    """
    total = 0

    def count(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        assert isinstance(layer.weight, Tensor)
        total += layer.weight[0].numel() * output.numel()

    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        network.eval()(torch.zeros(1, 3, size, size, device=next(network.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    return total
