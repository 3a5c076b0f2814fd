"""The state of a training run: how it starts, is saved and is resumed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ddfa.arrays import Float32
from ddfa.data.sets.dataset import CropStream
from ddfa.errors import DataError, reading
from ddfa.files import atomic_path, check_regular
from ddfa.head.model import HeadModel
from ddfa.regress.layout import ParamLayout
from ddfa.regress.whitening import Whitening
from ddfa.train.config import TrainConfig
from ddfa.train.criterion import expression_pairs
from ddfa.train.narrowing import is_larger, narrowed
from ddfa.train.networks import MobileNetV1, Network, RepNet, create
from ddfa.train.widening import widened

CHECKPOINT = "checkpoint.pt"
LANDMARKS = 68
WHITENING_SAMPLES = 20_000
_LEAST_SPREAD = 1e-2  # of a coefficient
_PARTS = ("network", "average", "optimizer")  # of a `Run`, in its checkpoint


@dataclass(eq=False)
class Run:
    """Everything a run holds besides its data.

    Attributes:
        config: the settings.
        head: the head model.
        whitening: of the parameters.
        network: being trained.
        average: exponential moving average (EMA) of the weights; this is what is exported.
        optimizer: of the network's weights.
        scaler: of the loss, where gradients are float16.
        step: optimiser steps done.
        rank: number of this process; process 0 writes the files.
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
    """Start a new run, or resume the one in the run folder if the settings ask for it.

    Raises:
        DataError: there is no checkpoint to resume or to start from, or it is of another network.
        ModelError: there is no such architecture.
    """
    torch.manual_seed(config.seed)
    layout = ParamLayout(len(head.identity_basis), len(head.expression_basis))
    network = create(config.arch, layout.size, LANDMARKS, config.pooling)
    saved = load_checkpoint(config.output / CHECKPOINT) if config.resume else None
    if saved is not None:
        whitening = whitening_of(saved)
    else:
        whitening = measure_whitening(stream.sample_labels(WHITENING_SAMPLES, config.seed))
        if config.init:
            load_matching(network, load_checkpoint(config.init), whitening)
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = ema_of(network, 0.5 ** (1.0 / config.ema))
    scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")
    run = Run(config, head, whitening, network, average, _optimizer(config, network), scaler)
    if saved is not None:
        run.step = restore_state(saved, {name: getattr(run, name) for name in _PARTS}, config.output / CHECKPOINT)
        if saved.get("scaler"):  # checkpoints of earlier versions have none
            run.scaler.load_state_dict(saved["scaler"])
    return run


def ema_of(network: nn.Module, decay: float, ramp: bool = True) -> AveragedModel:
    """An exponential moving average (EMA) of a network's weights and buffers.

    Args:
        network: the network.
        decay: share of the average that is kept in each step.
        ramp: let the decay grow from small values in the first steps, as (1 + n) / (10 + n), so that the average
            forgets the initial weights sooner.
    """

    def update(average: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        steps = int(count)
        limit = (1 + steps) / (10 + steps) if ramp else 1.0
        get_ema_multi_avg_fn(min(decay, limit))(average, current, count)  # type: ignore[no-untyped-call]

    return AveragedModel(network, multi_avg_fn=update, use_buffers=True)


def measure_whitening(params: Float32) -> Whitening:
    """Mean and standard deviation of parameters (n, P), the latter bounded below.

    Without the bound, the noise of coefficients that hardly vary would be scaled up to unit variance.
    """
    mean, std = params.mean(axis=0), params.std(axis=0)
    floor = np.r_[np.full(12, 1e-6), np.full(params.shape[1] - 12, _LEAST_SPREAD)]
    return Whitening(mean.astype(np.float32), np.maximum(std, floor).astype(np.float32))


def sample_asymmetry(config: TrainConfig, head: HeadModel, stream: CropStream) -> Float32:
    """`measure_asymmetry` over labels as in training; not stored, because it is the same in a resumed run."""
    return measure_asymmetry(stream.sample_labels(WHITENING_SAMPLES, config.seed), head)


def measure_asymmetry(params: Float32, head: HeadModel) -> Float32:
    """Standard deviation (K,) of left minus right in parameters (n, P), for each of the head's `expression_pairs`."""
    left, right = expression_pairs(head)
    expression = params[:, -len(head.expression_basis) :]
    spread = (expression[:, left] - expression[:, right]).std(axis=0)
    return np.asarray(np.maximum(spread, _LEAST_SPREAD), np.float32)


def save_checkpoint(run: Run, path: Path) -> None:
    """Write all that a run needs to be resumed.

    Raises:
        OutputError: it cannot be written.
    """
    parts = {name: getattr(run, name) for name in (*_PARTS, "scaler")}
    whitening = {
        "whitening_mean": torch.from_numpy(run.whitening.mean),
        "whitening_std": torch.from_numpy(run.whitening.std),
    }
    save_state(path, run.step, parts, whitening)


def save_state(path: Path, step: int, parts: Mapping[str, Any], more: Mapping[str, Tensor] | None = None) -> None:
    """Write a checkpoint.

    Args:
        path: the file.
        step: optimiser steps done.
        parts: by name, whatever has a `state_dict`.
        more: further tensors.

    Raises:
        OutputError: it cannot be written.
    """
    states = {name: part.state_dict() for name, part in parts.items()}
    write_checkpoint({"step": step, **states, **(more or {})}, path)


def restore_state(saved: Mapping[str, Any], parts: Mapping[str, Any], path: Path) -> int:
    """Load the parts of a checkpoint written by `save_state`.

    Args:
        saved: the checkpoint.
        parts: receive their states, by name.
        path: where the checkpoint is, for the error message.

    Returns:
        Optimiser steps done.

    Raises:
        DataError: the checkpoint does not fit the parts.
    """
    try:
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        return int(saved["step"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise DataError(
            f"{path} is of another network: resume with the settings of its run, or start without --resume"
        ) from error


def write_checkpoint(content: Mapping[str, Any], path: Path) -> None:
    """Write tensors and plain containers, completely or not at all.

    Raises:
        OutputError: they cannot be written.
    """
    with atomic_path(path) as temporary:
        torch.save(dict(content), temporary)


def averaged_tensors(saved: dict[str, Any]) -> dict[str, Tensor]:
    """The EMA tensors of a checkpoint, or the tensors of an original 3DDFA one, by their names in our networks."""
    state = saved.get("average") or saved.get("state_dict", saved)
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; tensors and plain containers only.

    Raises:
        DataError: it is missing or damaged.
    """
    check_regular(path, DataError)
    with reading(path, DataError, "no usable checkpoint", "start without it"):
        return dict(torch.load(path, map_location="cpu", weights_only=True))


def load_matching(network: Network, saved: dict[str, Any], whitening: Whitening) -> None:
    """Copy every tensor of a checkpoint that fits a network by name and shape.

    The EMA weights are used where there are any; checkpoints of the original 3DDFA are accepted as well. A narrower
    MobileNet-V1 is widened first, so that the run starts with the same function; a larger RepNet is narrowed.

    Args:
        network: receives the tensors.
        saved: the checkpoint.
        whitening: of the new run; the regression head is rescaled so that it predicts the same parameters as before.

    Raises:
        DataError: nothing fits.
    """
    state = averaged_tensors(saved)
    own = network.state_dict()
    last = "dw6.conv_sep.weight"
    if isinstance(network, MobileNetV1) and last in state and len(state[last]) < len(own[last]):
        state = widened(state, network)
    elif isinstance(network, RepNet) and is_larger(state, network):
        state = narrowed(state, network)
    fitting = {name: t for name, t in state.items() if name in own and own[name].shape == t.shape}
    if not fitting:
        raise DataError("the checkpoint to start from shares no layer with this network: check the architecture")
    network.load_state_dict(fitting, strict=False)
    if "whitening_mean" in saved and "fc.weight" in fitting:
        rewhiten(network.fc, whitening_of(saved), whitening)


def rewhiten(fc: nn.Linear, old: Whitening, new: Whitening) -> None:
    """Change a layer in place that predicts parameters whitened by `old`, so that they are whitened by `new`."""
    factor = torch.from_numpy(old.std / new.std)
    shift = torch.from_numpy((old.mean - new.mean) / new.std)
    with torch.no_grad():
        fc.weight.mul_(factor[:, None])
        fc.bias.mul_(factor).add_(shift)


def whitening_of(saved: dict[str, Any]) -> Whitening:
    """The whitening stored in a checkpoint."""
    return Whitening(saved["whitening_mean"].numpy(), saved["whitening_std"].numpy())


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The parameters of a network for an optimiser: no weight decay for batch norm and biases."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _optimizer(config: TrainConfig, network: nn.Module) -> torch.optim.Optimizer:
    groups = parameter_groups(network, config.weight_decay)
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=config.lr, fused=True)
