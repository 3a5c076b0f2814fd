"""The training loop: crops in, checkpoints out."""

from collections.abc import Callable
from typing import Final

import torch
import yaml
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ddfa.files import make_folder, write_atomically
from ddfa.head.model import HeadModel
from ddfa.train.batches import HeldOut, device_batches, open_data, step_seed
from ddfa.train.config import TrainConfig
from ddfa.train.criterion import Criterion
from ddfa.train.distributed import Ranks, join_ranks
from ddfa.train.log import RunLog
from ddfa.train.networks import Network, normalise
from ddfa.train.schedule import lr_at
from ddfa.train.state import CHECKPOINT, Run, save_checkpoint, start
from ddfa.train.validation import preview, validate

SETTINGS: Final = "config.yaml"
_DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

Forward = Callable[[Tensor], tuple[Tensor, Tensor]]


def train(config: TrainConfig, until: int | None = None) -> Run:
    """Train a regressor.

    Writes `config.yaml`, `log.csv`, `checkpoint.pt`, `preview.jpg` and TensorBoard files into the run folder. A resumed
    run continues exactly as if it had not been interrupted.

    Args:
        config: the settings.
        until: step to stop after; None for the settings' last.

    Returns:
        The run in its final state.

    Raises:
        DataError: the data cannot be used, there is nothing to resume, or the loss is not finite.
        ModelError: there is no such architecture.
        OutputError: the run folder cannot be written.
    """
    torch.set_num_threads(config.threads)
    torch.backends.cudnn.benchmark = True  # all batches have the same size
    last = config.steps if until is None else min(until, config.steps)
    with join_ranks(config.device) as ranks:
        head = HeadModel.load(config.head)
        stream, held_out = open_data(config, head)
        make_folder(config.output)
        run = start(config, head, stream, ranks.device)
        run.rank = ranks.rank
        criterion = Criterion(head, run.whitening, config.loss, config.random_points, stream.size).to(ranks.device)
        forward = _forward(run, ranks)
        source = device_batches(stream, config, ranks, run.step, last)
        with Reporter(run, criterion, held_out, last) as reporter:
            for crops, target in source:
                torch.manual_seed(step_seed(config.seed, run.step, ranks.rank))
                terms = _step(run, forward, criterion, crops, target)
                reporter.report(terms, crops, target)
    return run


class Reporter:
    """Log, validation and checkpoints between the steps; only in the process that writes files.

    Args:
        run: the run.
        criterion: its loss.
        held_out: the validation split, if any.
        last: the step at which the run ends.
    """

    def __init__(self, run: Run, criterion: Criterion, held_out: HeldOut | None, last: int) -> None:
        self._run, self._criterion, self._held_out, self._last = run, criterion, held_out, last
        columns = TextColumn("train"), BarColumn(), TextColumn("{task.fields[line]}"), TimeRemainingColumn()
        self._progress = Progress(*columns, disable=run.rank != 0)
        self._task = self._progress.add_task("train", total=last, completed=run.step, line="")

    def __enter__(self) -> "Reporter":
        run, config = self._run, self._run.config
        if run.rank == 0:
            write_atomically(config.output / SETTINGS, yaml.safe_dump(config.as_dict(), sort_keys=False).encode())
            self._log = RunLog(config.output, run.step, config.batch_size, config.tensorboard)
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
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
        self._progress.update(self._task, completed=run.step, line=self._log.line)
        if self._due(config.checkpoint_every):
            save_checkpoint(run, config.output / CHECKPOINT)

    def _due(self, every: int) -> bool:
        return self._run.step % every == 0 or self._run.step == self._last

    def _validate(self, crops: Tensor, target: Tensor) -> None:
        network, criterion = self._run.average_network, self._criterion
        image = preview(network, criterion, crops, target)
        figures = validate(network, criterion, self._held_out) if self._held_out else {}
        self._log.validated(self._run.step, figures, image)


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


def _step(run: Run, forward: Forward, criterion: Criterion, crops: Tensor, target: Tensor) -> dict[str, Tensor]:
    """One optimiser step; crops (n, R, R, 3) uint8, target (n, P)."""
    for group in run.optimizer.param_groups:
        group["lr"] = lr_at(run.step, run.config)
    run.network.train()
    terms = criterion(*forward(crops), target)
    run.optimizer.zero_grad(set_to_none=True)
    run.scaler.scale(criterion.total(terms)).backward()  # type: ignore[no-untyped-call]
    run.scaler.unscale_(run.optimizer)  # gradients are clipped at their true norm
    nn.utils.clip_grad_norm_(run.network.parameters(), run.config.grad_clip)
    run.scaler.step(run.optimizer)
    run.scaler.update()
    run.average.update_parameters(run.network)
    run.step += 1
    return {name: term.detach() for name, term in terms.items()}
