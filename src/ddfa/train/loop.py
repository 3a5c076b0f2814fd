"""The training loop: crops in, checkpoints and a bundle out."""

import csv
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ddfa.arrays import Float32
from ddfa.data.dataset import CropStream, LabelledPhotos
from ddfa.errors import DataError
from ddfa.files import make_folder, write_atomically
from ddfa.head.model import HeadModel
from ddfa.regress.layout import ParamLayout
from ddfa.regress.whitening import Whitening
from ddfa.train import losses
from ddfa.train.config import LossWeights, TrainConfig
from ddfa.train.networks import MobileNetV1

CHECKPOINT = "checkpoint.pt"
LANDMARKS = 68
_WHITENING_SAMPLES = 20_000
_LOG_EVERY = 100


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
        step: optimiser steps done.
    """

    config: TrainConfig
    head: HeadModel
    whitening: Whitening
    network: MobileNetV1
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    step: int = 0

    @property
    def layout(self) -> ParamLayout:
        """Layout of the parameters."""
        return ParamLayout(len(self.head.identity_basis), len(self.head.expression_basis))


class Criterion(nn.Module):
    """The weighted sum of losses on one device.

    Args:
        head: the head model.
        whitening: of the parameters.
        weights: of the terms.
        random_points: vertices drawn anew in each step, besides the landmarks.
        size: side S of the crop frame in px.
    """

    mean: Tensor
    std: Tensor
    scale: Tensor

    def __init__(
        self, head: HeadModel, whitening: Whitening, weights: LossWeights, random_points: int, size: int
    ) -> None:
        super().__init__()
        self.weights, self.size, self.random_points = weights, size, random_points
        self.register_buffer("mean", torch.from_numpy(whitening.mean))
        self.register_buffer("std", torch.from_numpy(whitening.std))
        pose = whitening.mean[:12].reshape(3, 4)[:, :3], whitening.std[:12].reshape(3, 4)[:, :3]
        # E|P|² = mean² + std², and |P|² = 3 scale²
        self.register_buffer("scale", torch.tensor(math.sqrt(sum(float((p**2).sum()) for p in pose) / 3)))
        self.landmarks = _points(head.landmark_points.mean, head.landmark_points.bases)
        skin = np.flatnonzero(head.regions["face"]) if "face" in head.regions else np.arange(head.vertices)
        self.surface = _points(head.mean[skin], head.points.bases[:, skin])

    def forward(self, params: Tensor, points: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The terms in use, by name.

        Args:
            params: (n, P) whitened, from the network.
            points: (n, 68, 3) from the auxiliary head, see `normalised`.
            target: (n, P) de-whitened labels.
        """
        weights, terms = self.weights, dict[str, Tensor]()
        whitened, raw = (target - self.mean) / self.std, params * self.std + self.mean
        if weights.wpdc or weights.vdc:
            chosen = self._choose()
        if weights.pdc:
            terms["pdc"] = losses.pdc(params, whitened)
        if weights.wpdc:
            terms["wpdc"] = losses.wpdc(params, whitened, self.mean, self.std, chosen, self.scale)
        if weights.vdc:
            terms["vdc"] = losses.vdc(raw, target, chosen)
        if weights.landmark:
            terms["landmark"] = losses.landmark(raw, target, self.landmarks)
        if weights.points:
            terms["points"] = (points - self.normalised(target)).abs().mean()
        return terms

    def normalised(self, target: Tensor) -> Tensor:
        """Landmarks of labels for the auxiliary head: (n, 68, 3), half crop sides from its centre, mean depth 0."""
        points = self.landmarks(target)
        flat = points[..., :2] - (self.size - 1) / 2
        depth = points[..., 2:] - points[..., 2:].mean(dim=1, keepdim=True)
        return torch.cat([flat, depth], dim=-1) / (self.size / 2)

    def _choose(self) -> losses.HeadPoints:
        """The landmarks and some random points of the face."""
        count = self.surface.mean.shape[0]
        index = torch.randperm(count, device=self.mean.device)[: self.random_points]
        few, marks = self.surface.at(index), self.landmarks
        return losses.HeadPoints(torch.cat([marks.mean, few.mean]), torch.cat([marks.bases, few.bases], dim=1))


def train(config: TrainConfig) -> Run:
    """Train a regressor.

    Writes `config.json`, `log.csv` and `checkpoint.pt` into the run folder; an interrupted run goes on with
    `resume`.

    Args:
        config: the settings.

    Returns:
        The finished run.

    Raises:
        DataError: the data cannot be used, or there is nothing to resume.
        OutputError: the run folder cannot be written.
    """
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    device = torch.device(_device(config.device))
    head = HeadModel.load(config.head)
    stream = open_stream(config, head)
    make_folder(config.output)
    run = start(config, head, stream, device)
    write_atomically(config.output / "config.json", json.dumps(config.as_dict(), indent=2).encode())
    size = stream.size
    criterion = Criterion(head, run.whitening, config.loss, config.random_points, size).to(device)
    batches = _loader(stream, config, run.step)
    log = _Log(config.output / "log.csv", run.step)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[loss]}"), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("train", total=config.steps, completed=run.step, loss="")
        while run.step < config.steps:
            crops, target = next(batches)
            terms = _step(run, criterion, crops.to(device), target.to(device))
            progress.update(task, completed=run.step, loss=log.add(run, terms))
            if run.step % config.checkpoint_every == 0 or run.step == config.steps:
                save_checkpoint(run, config.output / CHECKPOINT)
    return run


def open_stream(config: TrainConfig, head: HeadModel) -> CropStream:
    """Open the data sets of a run and decode their photos into memory."""
    sets = [LabelledPhotos.open(folder, head, config.worst) for folder in config.data]
    shares = config.shares or (1.0,) * len(sets)
    stream = CropStream(sets, shares, head, resolution=config.resolution, options=config.augment)
    stream.preload()
    return stream


def start(config: TrainConfig, head: HeadModel, stream: CropStream, device: torch.device) -> Run:
    """A new run, or the one in the run folder where the settings say to resume."""
    layout = ParamLayout(len(head.identity_basis), len(head.expression_basis))
    network = MobileNetV1(layout.size, config.width, LANDMARKS)
    saved: dict[str, Any] | None = None
    if config.resume:
        saved = load_checkpoint(config.output / CHECKPOINT)
        whitening = Whitening(saved["whitening_mean"].numpy(), saved["whitening_std"].numpy())
    else:
        sample = stream.sample_labels(_WHITENING_SAMPLES, config.seed)
        whitening = measure_whitening(sample)
        if config.init:
            _start_from(network, load_checkpoint(config.init))
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    decay = 0.5 ** (1.0 / config.average)
    update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=update, use_buffers=True)
    run = Run(config, head, whitening, network, average, _optimizer(config, network))
    if saved is not None:
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        run.optimizer.load_state_dict(saved["optimizer"])
        run.step = int(saved["step"])
    return run


def measure_whitening(params: Float32) -> Whitening:
    """Mean and standard deviation of parameters (n, P), the latter bounded below.

    Coefficients that hardly ever move would otherwise be blown up to unit variance, noise and all.
    """
    mean, std = params.mean(axis=0), params.std(axis=0)
    floor = np.r_[np.full(12, 1e-6), np.full(params.shape[1] - 12, 1e-2)]
    return Whitening(mean.astype(np.float32), np.maximum(std, floor).astype(np.float32))


def rate_at(step: int, config: TrainConfig) -> float:
    """Learning rate: linear warm-up, then cosine down to a fiftieth of the peak."""
    if step < config.warmup:
        return config.rate * (step + 1) / config.warmup
    progress = min(1.0, (step - config.warmup) / max(1, config.steps - config.warmup))
    return config.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


def save_checkpoint(run: Run, path: Path) -> None:
    """Write all that a run needs to go on, whole or not at all."""
    state = {
        "step": run.step,
        "network": run.network.state_dict(),
        "average": run.average.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "whitening_mean": torch.from_numpy(run.whitening.mean),
        "whitening_std": torch.from_numpy(run.whitening.std),
    }
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, tensors and plain containers only.

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises many kinds
        raise DataError(f"no usable checkpoint at {path}: start without it ({type(error).__name__})") from error


def average_network(run: Run) -> MobileNetV1:
    """The averaged network, on the CPU, for evaluation."""
    network = run.average.module
    assert isinstance(network, MobileNetV1)
    return network.cpu().eval()


def _step(run: Run, criterion: Criterion, crops: Tensor, target: Tensor) -> dict[str, float]:
    """One optimiser step; crops (n, R, R, 3) uint8, target (n, P)."""
    for group in run.optimizer.param_groups:
        group["lr"] = rate_at(run.step, run.config)
    run.network.train()
    images = ((crops.permute(0, 3, 1, 2).float() - 127.5) / 128).contiguous(memory_format=torch.channels_last)
    features = run.network.features(images)
    assert run.network.fc_lm is not None
    points = run.network.fc_lm(features).view(-1, LANDMARKS, 3)
    terms = criterion(run.network.fc(features), points, target)
    weights = run.config.loss
    loss = sum((getattr(weights, name) * term for name, term in terms.items()), start=target.new_zeros(()))
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(run.network.parameters(), 5.0)
    run.optimizer.step()
    run.average.update_parameters(run.network)
    run.step += 1
    return {name: float(term.detach()) for name, term in terms.items()}


def _optimizer(config: TrainConfig, network: nn.Module) -> torch.optim.Optimizer:
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]  # batch norm and biases do not decay
    groups = [{"params": weights, "weight_decay": config.decay}, {"params": others, "weight_decay": 0.0}]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=config.rate, fused=True)


def _start_from(network: nn.Module, saved: dict[str, Any]) -> None:
    """Copy every tensor of a checkpoint's averaged network (or plain state dict) that fits by name and shape."""
    state = saved.get("average", saved)
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    own = network.state_dict()
    fitting = {name: t for name, t in state.items() if name in own and own[name].shape == t.shape}
    if not fitting:
        raise DataError("the checkpoint to start from shares no layer with this network: check its width")
    network.load_state_dict(fitting, strict=False)


def _device(name: str) -> str:
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def _points(mean: Float32, bases: Float32) -> losses.HeadPoints:
    return losses.HeadPoints(*(torch.from_numpy(np.ascontiguousarray(array)) for array in (mean, bases)))


class _Crops(IterableDataset[tuple[Tensor, Tensor]]):
    """A crop stream as torch wants it: each worker seeded by its number and the step it starts from."""

    def __init__(self, stream: CropStream, batch: int, seed: int, step: int) -> None:
        self._stream, self._batch, self._seed = stream, batch, [seed, step]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()
        seed = [*self._seed, worker.id if worker else 0]
        for crops, labels in self._stream.batches(self._batch, seed):
            yield torch.from_numpy(crops), torch.from_numpy(labels)


def _loader(stream: CropStream, config: TrainConfig, step: int) -> Iterator[tuple[Tensor, Tensor]]:
    crops = _Crops(stream, config.batch, config.seed, step)
    prefetch = 8 if config.workers else None
    context = "fork" if config.workers else None  # workers share the decoded photos
    loader = DataLoader(
        crops, batch_size=None, num_workers=config.workers, prefetch_factor=prefetch, multiprocessing_context=context
    )
    return iter(loader)


class _Log:
    """Running means of the loss terms, a row of `log.csv` every hundred steps."""

    def __init__(self, path: Path, step: int) -> None:
        self._path, self._sums, self._count = path, dict[str, float](), 0
        self._began = time.monotonic(), step
        self._line = ""
        if step == 0:
            path.unlink(missing_ok=True)

    def add(self, run: Run, terms: dict[str, float]) -> str:
        """Take the terms of one step; returns the latest means as text."""
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        if self._count == _LOG_EVERY:
            self._write(run)
        return self._line

    def _write(self, run: Run) -> None:
        means = {name: total / self._count for name, total in self._sums.items()}
        began, step = self._began
        speed = (run.step - step) * run.config.batch / (time.monotonic() - began)
        row = {"step": run.step, "rate": rate_at(run.step, run.config), **means, "samples_per_second": speed}
        new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(row)
            writer.writerow(f"{value:.6g}" for value in row.values())
        self._line = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
        self._sums, self._count = {}, 0
