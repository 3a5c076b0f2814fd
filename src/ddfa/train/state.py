"""The state of a run: what a checkpoint holds, and where it comes from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ddfa.arrays import Float32
from ddfa.data.sets.dataset import CropStream
from ddfa.errors import DataError
from ddfa.files import atomic_path
from ddfa.head.model import HeadModel
from ddfa.regress.layout import ParamLayout
from ddfa.regress.whitening import Whitening
from ddfa.train.config import TrainConfig
from ddfa.train.networks import MobileNetV1, Network, create
from ddfa.train.widening import widened

CHECKPOINT = "checkpoint.pt"
LANDMARKS = 68
_WHITENING_SAMPLES = 20_000


@dataclass(eq=False)
class Run:
    """Everything a run holds besides its data.

    Attributes:
        config: the settings.
        head: the head model.
        whitening: of the parameters.
        network: being trained.
        average: exponential moving average of the network's weights; what is shipped.
        optimizer: of the network's weights.
        scaler: of the loss, where gradients are float16.
        step: optimiser steps done.
        rank: number of this process; 0 writes the files.
    """

    config: TrainConfig
    head: HeadModel
    whitening: Whitening
    network: Network
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    step: int = 0
    rank: int = 0

    @property
    def layout(self) -> ParamLayout:
        """Layout of the parameters."""
        return ParamLayout(len(self.head.identity_basis), len(self.head.expression_basis))

    @property
    def average_network(self) -> Network:
        """The averaged network."""
        network = self.average.module
        assert isinstance(network, Network)
        return network


def start(config: TrainConfig, head: HeadModel, stream: CropStream, device: torch.device) -> Run:
    """A new run, or the one in the run folder where the settings say to resume.

    Raises:
        DataError: there is no checkpoint, or it is of another network.
        ModelError: there is no such architecture.
    """
    torch.manual_seed(config.seed)
    layout = ParamLayout(len(head.identity_basis), len(head.expression_basis))
    network = create(config.arch, layout.size, LANDMARKS)
    saved = load_checkpoint(config.output / CHECKPOINT) if config.resume else None
    if saved is not None:
        whitening = whitening_of(saved)
    else:
        whitening = measure_whitening(stream.sample_labels(_WHITENING_SAMPLES, config.seed))
        if config.init:
            load_matching(network, load_checkpoint(config.init), whitening)
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(network, multi_avg_fn=_average(config.ema), use_buffers=True)
    scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")
    run = Run(config, head, whitening, network, average, _optimizer(config, network), scaler)
    if saved is not None:
        _restore(run, saved)
    return run


def _average(half_life: int) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """Exponential average with a half-life in steps, shorter in the first steps: it must forget where a run began."""
    decay = 0.5 ** (1.0 / half_life)

    def update(average: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        steps = int(count)
        get_ema_multi_avg_fn(min(decay, (1 + steps) / (10 + steps)))(average, current, count)  # type: ignore[no-untyped-call]

    return update


def measure_whitening(params: Float32) -> Whitening:
    """Mean and standard deviation of parameters (n, P), the latter bounded below.

    Coefficients that hardly ever move would otherwise be blown up to unit variance, noise and all.
    """
    mean, std = params.mean(axis=0), params.std(axis=0)
    floor = np.r_[np.full(12, 1e-6), np.full(params.shape[1] - 12, 1e-2)]
    return Whitening(mean.astype(np.float32), np.maximum(std, floor).astype(np.float32))


def save_checkpoint(run: Run, path: Path) -> None:
    """Write all that a run needs to go on, whole or not at all."""
    state = {
        "step": run.step,
        "network": run.network.state_dict(),
        "average": run.average.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "scaler": run.scaler.state_dict(),
        "whitening_mean": torch.from_numpy(run.whitening.mean),
        "whitening_std": torch.from_numpy(run.whitening.std),
    }
    write_checkpoint(state, path)


def write_checkpoint(content: dict[str, Any], path: Path) -> None:
    """Write tensors and plain containers, whole or not at all."""
    with atomic_path(path) as temporary:
        torch.save(content, temporary)


def averaged_tensors(saved: dict[str, Any]) -> dict[str, Tensor]:
    """The tensors of a checkpoint's averaged network, or of a published one, by their names in a network of ours."""
    state = saved.get("average") or saved.get("state_dict", saved)
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, tensors and plain containers only.

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises many kinds
        raise DataError(f"no usable checkpoint at {path}: start without it ({type(error).__name__})") from error


def load_matching(network: Network, saved: dict[str, Any], whitening: Whitening) -> None:
    """Copy every tensor of a checkpoint's averaged network, or of a published one, that fits by name and shape.

    A narrower MobileNet-V1 is widened first, so that the run starts with what it can do.

    Args:
        network: receives them.
        saved: the checkpoint.
        whitening: of the new run; the regression head is rescaled so that it gives the parameters it gave.

    Raises:
        DataError: nothing fits.
    """
    state = averaged_tensors(saved)
    own = network.state_dict()
    last = "dw6.conv_sep.weight"
    if isinstance(network, MobileNetV1) and last in state and len(state[last]) < len(own[last]):
        state = widened(state, network)
    fitting = {name: t for name, t in state.items() if name in own and own[name].shape == t.shape}
    if not fitting:
        raise DataError("the checkpoint to start from shares no layer with this network: check the architecture")
    network.load_state_dict(fitting, strict=False)
    if "whitening_mean" in saved and "fc.weight" in fitting:
        rewhiten(network.fc, whitening_of(saved), whitening)


def rewhiten(fc: nn.Linear, old: Whitening, new: Whitening) -> None:
    """Let a layer that gave parameters whitened by `old` give the same parameters whitened by `new`."""
    factor = torch.from_numpy(old.std / new.std)
    shift = torch.from_numpy((old.mean - new.mean) / new.std)
    with torch.no_grad():
        fc.weight.mul_(factor[:, None])
        fc.bias.mul_(factor).add_(shift)


def whitening_of(saved: dict[str, Any]) -> Whitening:
    """The whitening that a checkpoint holds."""
    return Whitening(saved["whitening_mean"].numpy(), saved["whitening_std"].numpy())


def _restore(run: Run, saved: dict[str, Any]) -> None:
    try:
        run.network.load_state_dict(saved["network"])
        run.average.load_state_dict(saved["average"])
        run.optimizer.load_state_dict(saved["optimizer"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise DataError(f"the run's checkpoint is not of {run.config.arch}: resume with its own settings") from error
    if saved.get("scaler"):  # older checkpoints have none
        run.scaler.load_state_dict(saved["scaler"])
    run.step = int(saved["step"])


def _optimizer(config: TrainConfig, network: nn.Module) -> torch.optim.Optimizer:
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]  # batch norm and biases do not decay
    groups = [{"params": weights, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=config.lr, fused=True)
