"""One optimiser step of the small networks: occlusion, roll, regions and quality."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def descend(
    loss: Tensor, lr: float, network: nn.Module, average: AveragedModel, optimizer: torch.optim.Optimizer, clip: float
) -> None:
    """Take a step down the gradient of a loss, and update the moving average.

    Args:
        loss: a scalar.
        lr: learning rate of the step.
        network: its weights are those of the optimiser.
        average: moving average of the weights.
        optimizer: of the network.
        clip: maximum norm of the gradient.
    """
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimizer.step()
    average.update_parameters(network)
