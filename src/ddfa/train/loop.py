"""The training loop: crops in, checkpoints out."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import torch
import yaml
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ddfa.data.sets.dataset import CropStream
from ddfa.files import make_folder, write_atomically
from ddfa.head.model import HeadModel
from ddfa.progress import Bar
from ddfa.train import losses
from ddfa.train.batches import HeldOut, device_batches, open_data, step_seed
from ddfa.train.config import TrainConfig
from ddfa.train.criterion import Criterion
from ddfa.train.distributed import Ranks, join_ranks
from ddfa.train.log import RunLog
from ddfa.train.networks import Network, normalise
from ddfa.train.schedule import lr_at
from ddfa.train.state import CHECKPOINT, Run, sample_asymmetry, save_checkpoint, start
from ddfa.train.validation import Validation, preview, validate
from ddfa.train.watch import watched

SETTINGS: Final = "config.yaml"
_DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

Forward = Callable[[Tensor], tuple[Tensor, Tensor]]


def train(config: TrainConfig, until: int | None = None) -> Run:
    """Train a regressor: the first run of `train_together`."""
    return train_together(config, until)[0]


def train_together(config: TrainConfig, until: int | None = None) -> list[Run]:
    """Train one or several regressors on one stream of crops.

    Writes `config.yaml`, `log.csv`, `checkpoint.pt`, `preview.jpg` and TensorBoard files into each run folder. A
    resumed run continues exactly as if it had not been interrupted. Without distillation, each network is trained
    exactly as it would be alone.

    Args:
        config: the settings.
        until: step to stop after; None for the settings' last.

    Returns:
        The runs in their final state, in the order of `config.networks`.

    Raises:
        DataError: the data cannot be used, there is nothing to resume, or the loss is not finite.
        ModelError: there is no such architecture.
        OutputError: a run folder cannot be written.
    """
    torch.set_num_threads(config.threads)
    torch.backends.cudnn.benchmark = True  # all batches have the same size
    last = config.steps if until is None else min(until, config.steps)
    networks = config.networks
    with join_ranks(config.device) as ranks, ExitStack() as stack:
        head = HeadModel.load(config.head)
        stream, held_out = open_data(config, head)
        members = [_start(each, head, stream, held_out, ranks, last, each is config) for each in networks]
        for member in members:
            stack.enter_context(member.reporter)
        if config.watch is not None and ranks.rank == 0:
            address = stack.enter_context(watched([each.output for each in networks], config.watch))
            print(f"live page: {address}", flush=True)
        # Runs interrupted while their checkpoints were written may differ by an interval; those ahead wait.
        first = min(member.run.step for member in members)
        for step, (crops, target) in enumerate(device_batches(stream, config, ranks, first, last), first):
            for member, goal in targets(members, config, step, target):
                torch.manual_seed(step_seed(config.seed, step, ranks.rank))
                terms = member.step(crops, goal)
                member.reporter.report(terms, crops, target)
    return [member.run for member in members]


def targets(
    members: "list[Member]", config: TrainConfig, step: int, target: Tensor
) -> Iterator[tuple["Member", Tensor]]:
    """The networks to train in a step, the teacher first, and the target (n, P) of each.

    Args:
        members: the networks.
        config: the settings of the first.
        step: from 0.
        target: (n, P) de-whitened labels.
    """
    distilled = step >= config.distill_start * config.steps
    prediction = None
    for member in sorted(members, key=lambda each: each.run.config.name != config.distill_from):
        if member.run.step != step:
            continue
        yield member, target if prediction is None else mixed_target(target, prediction, config.distill_weight)
        if distilled and member.run.config.name == config.distill_from:
            prediction = member.prediction


def mixed_target(target: Tensor, prediction: Tensor, weight: float) -> Tensor:
    """Labels (n, P or more) mixed with a teacher's prediction (n, P), except for t_z, which no loss constrains.

    Further columns, the weights of expression units, are kept.
    """
    label, rest = target[:, : prediction.shape[1]], target[:, prediction.shape[1] :]
    return torch.cat([label.lerp(losses.with_depth_of(prediction, label), weight), rest], dim=1)


@dataclass(eq=False)
class Member:
    """One of the networks that are trained together.

    Attributes:
        run: its run.
        criterion: its loss.
        forward: its forward pass.
        reporter: its log, validation and checkpoints.
        prediction: (n, P) de-whitened parameters of the last step, without gradient.
    """

    run: Run
    criterion: Criterion
    forward: Forward
    reporter: "Reporter"
    prediction: Tensor | None = None

    def step(self, crops: Tensor, target: Tensor) -> dict[str, Tensor]:
        """One optimiser step; crops (n, R, R, 3) uint8, target (n, P). Returns the loss terms."""
        run = self.run
        for group in run.optimizer.param_groups:
            group["lr"] = lr_at(run.step, run.config)
        run.network.train()
        params, points = self.forward(crops)
        self.prediction = self.criterion.dewhiten(params.detach())
        terms = self.criterion(params, points, target)
        run.optimizer.zero_grad(set_to_none=True)
        run.scaler.scale(self.criterion.total(terms)).backward()  # type: ignore[no-untyped-call]
        run.scaler.unscale_(run.optimizer)  # gradients are clipped at their true norm
        nn.utils.clip_grad_norm_(run.network.parameters(), run.config.grad_clip)
        run.scaler.step(run.optimizer)
        run.scaler.update()
        run.average.update_parameters(run.network)
        run.step += 1
        return {name: term.detach() for name, term in terms.items()}


def _start(
    config: TrainConfig,
    head: HeadModel,
    stream: CropStream,
    held_out: HeldOut | None,
    ranks: Ranks,
    last: int,
    shown: bool,
) -> Member:
    """Start or resume one network, with a progress bar if `shown`."""
    make_folder(config.output)
    run = start(config, head, stream, ranks.device)
    run.rank = ranks.rank
    spread = sample_asymmetry(config, head, stream) if config.loss.asymmetry else None
    criterion = Criterion(head, run.whitening, config.loss, config.random_points, stream.size, spread).to(ranks.device)
    return Member(run, criterion, _forward(run, ranks), Reporter(run, criterion, held_out, last, shown))


class Reporter:
    """Log, validation and checkpoints between the steps; only in the process that writes files.

    Args:
        run: the run.
        criterion: its loss.
        held_out: the validation split, if any.
        last: the step at which the run ends.
        shown: whether to show a progress bar.
    """

    def __init__(self, run: Run, criterion: Criterion, held_out: HeldOut | None, last: int, shown: bool) -> None:
        self._run, self._criterion, self._held_out, self._last = run, criterion, held_out, last
        self._bar = Bar("training", last, run.step, shown=run.rank == 0 and shown)

    def __enter__(self) -> "Reporter":
        run, config = self._run, self._run.config
        if run.rank == 0:
            write_atomically(config.output / SETTINGS, yaml.safe_dump(config.as_dict(), sort_keys=False).encode())
            self._log = RunLog(config.output, run.step, config.batch_size, config.tensorboard)
        self._bar.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.__exit__()
        if self._run.rank == 0:
            self._log.close(self._run.step, lr_at(self._run.step, self._run.config))

    def report(self, terms: dict[str, Tensor], crops: Tensor, target: Tensor) -> None:
        """Report a completed step: its loss terms, crops (n, R, R, 3) and labels (n, P)."""
        run, config = self._run, self._run.config
        if run.rank != 0:
            return
        if self._due(config.validate_every):
            self._validate(crops, target)
        self._log.add(run.step, lr_at(run.step - 1, config), terms)
        self._bar.advance()
        self._bar.note(self._log.line)
        if self._due(config.checkpoint_every):
            save_checkpoint(run, config.output / CHECKPOINT)

    def _due(self, every: int) -> bool:
        return self._run.step % every == 0 or self._run.step == self._last

    def _validate(self, crops: Tensor, target: Tensor) -> None:
        network, criterion = self._run.average_network, self._criterion
        image = preview(network, criterion, crops, target)
        found = validate(network, criterion, self._held_out, self._run.head) if self._held_out else Validation({})
        self._log.validated(self._run.step, found.figures, image, found.units)


class _Heads(nn.Module):
    """Both heads of a network for crops (n, R, R, 3) uint8: the module that is compiled and distributed."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.both_heads(normalise(crops))


def _forward(run: Run, ranks: Ranks) -> Forward:
    """The forward pass of the network as in the settings: compiled, distributed, in mixed precision."""
    config = run.config
    module: nn.Module = _Heads(run.network)
    if ranks.size > 1:
        devices = [ranks.device] if ranks.device.type == "cuda" else None
        module = DistributedDataParallel(module, device_ids=devices, find_unused_parameters=not config.loss.points)
    if config.compile:
        module.compile()
    mixed = config.precision != "float32"

    def forward(crops: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(ranks.device.type, _DTYPES[config.precision], enabled=mixed):
            params, points = module(crops)
        return params.float(), points.float()

    return forward
