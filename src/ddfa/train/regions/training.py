"""Training of the region networks (`ddfa train-regions`): train, calibrate, export, add to a bundle."""

import math
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import tyro
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ddfa.arrays import Float32
from ddfa.data.regions.labels import Corpus
from ddfa.errors import DataError
from ddfa.files import make_folder
from ddfa.head.open import load_open_head
from ddfa.regress.bundle import Bundle
from ddfa.regress.regions import MOUTH_UNITS
from ddfa.regress.registry import DEFAULT, find_bundle
from ddfa.train.log import RunLog
from ddfa.train.regions.batches import Batch, PatchStream, Pool, Region, mirrored_units
from ddfa.train.regions.calibration import FILES, add_region, calibrate
from ddfa.train.regions.export import export_region
from ddfa.train.regions.loss import predict_batch, region_loss, spread_of
from ddfa.train.regions.network import RegionNetwork, new_network
from ddfa.train.state import CHECKPOINT, load_checkpoint, write_checkpoint

BUNDLE = "bundle"
_QUEUE = 6
_POOL = 20_000  # rows stored for reuse
_GRAD_CLIP = 5.0
_SAVED_EVERY, _VALIDATED_EVERY = 250, 1000


@dataclass(frozen=True)
class RegionConfig:
    """Settings of a run.

    Attributes:
        region: which network: eye or mouth.
        data: folder of the corpora made by `ddfa data regions`.
        output: the run folder: checkpoint, log, ONNX file, calibration, bundle.
        corpora: names of the corpora in `data`; all of them by default.
        model: bundle of the first network; its copy in the run folder contains the new network.
        steps: optimiser steps.
        batch_size: photos per step; two rows per photo for the eye network.
        lr: peak learning rate; linear warm-up, then a cosine.
        warmup: steps of the warm-up.
        weight_decay: of AdamW.
        ema: half-life of the moving average of the weights, steps.
        reuse: number of steps that use each patch; cutting one costs as much as a training step.
        asymmetry: weight of the loss on differences between left and right.
        threads: of PyTorch.
        seed: of the weights and of sampling.
        resume: continue from the checkpoint of the run.
    """

    region: Region
    data: Path
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    corpora: tuple[str, ...] = ()
    model: str = DEFAULT
    steps: int = 12_000
    batch_size: int = 64
    lr: float = 3e-3
    warmup: int = 200
    weight_decay: float = 0.05
    ema: int = 300
    reuse: int = 4
    asymmetry: float = 0.5
    threads: int = 2
    seed: int = 0
    resume: bool = False


@dataclass(eq=False)
class _State:
    """Everything a run holds besides its data."""

    network: RegionNetwork
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    step: int = 0


def make_region(config: RegionConfig) -> Bundle:
    """Train a network, calibrate it, and write a copy of the bundle `config.model` that contains it.

    Args:
        config: the settings.

    Returns:
        The bundle.

    Raises:
        DataError: the data are missing, or the loss is no longer finite.
        ModelError: the bundle `config.model` is missing or damaged.
    """
    bundle = find_bundle(config.model)
    network = train_region(config)
    calibration = calibrate(network, config.region, Corpus.load_all(config.data, config.corpora, held_out=False))
    calibration.save(config.output / "calibration.json")
    rest, gain = torch.from_numpy(calibration.rest), torch.from_numpy(calibration.gain)
    exported = export_region(network.calibrated(rest, gain), config.output / FILES[config.region])
    return add_region(bundle, exported, config.output / BUNDLE)


def train_region(config: RegionConfig) -> RegionNetwork:
    """Train a network.

    Args:
        config: the settings.

    Returns:
        The network with the EMA of its weights, in evaluation mode.

    Raises:
        DataError: the data are missing, or the loss is no longer finite.
    """
    torch.set_num_threads(config.threads)
    cv2.setNumThreads(1)  # patches are too small to be divided among threads
    torch.manual_seed(config.seed)
    make_folder(config.output)
    names = load_open_head().expression_names
    corpora, held_out = (Corpus.load_all(config.data, config.corpora, held_out=part) for part in (False, True))
    state = _start(config)
    stream = PatchStream(config.region, corpora, names, config.seed + 1 + state.step)
    validation = PatchStream(config.region, held_out, names, 0, augment=False)
    spread = spread_of(stream)
    log = RunLog(config.output, state.step, config.batch_size, tensorboard=False)
    lr = 0.0
    for batch in _prefetched(stream, config, config.steps - state.step):
        lr = _lr(state.step, config)
        for group in state.optimizer.param_groups:
            group["lr"] = lr
        terms = region_loss(state.network, batch, spread, config.asymmetry)
        state.optimizer.zero_grad()
        terms["loss"].backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), _GRAD_CLIP)
        state.optimizer.step()
        state.average.update_parameters(state.network)
        state.step += 1
        log.add(state.step, lr, {name: value.detach() for name, value in terms.items()})
        if state.step % _VALIDATED_EVERY == 0 or state.step == config.steps:
            log.validated(state.step, validate(_averaged(state), validation))
        if state.step % _SAVED_EVERY == 0 or state.step == config.steps:
            _save(state, config.output / CHECKPOINT)
            print(f"{config.region} step {state.step}/{config.steps}  {log.line}", flush=True)
    log.close(state.step, lr)
    return _averaged(state).eval()


def validate(network: RegionNetwork, validation: PatchStream) -> dict[str, float]:
    """Median correlation of units, and of differences between left and right, on held-out photos.

    Args:
        network: with the EMA of the weights.
        validation: the held-out photos, not augmented.
    """
    if not len(validation):
        return {}
    network.eval()
    outputs, targets = [], []
    for start in range(0, len(validation), 128):
        batch = validation.batch(np.arange(start, min(start + 128, len(validation))))
        outputs.append(predict_batch(network, batch)[:, : network.units])
        targets.append(batch.units)
    predicted, true = np.clip(np.concatenate(outputs), 0, 1), np.concatenate(targets)
    if validation.region == "eye":
        differences = predicted[0::2] - predicted[1::2], true[0::2] - true[1::2]
    else:
        mirror = mirrored_units(MOUTH_UNITS)
        differences = predicted - predicted[:, mirror], true - true[:, mirror]
    return {"r": _median_r(predicted, true), "r_difference": _median_r(*differences)}


def _median_r(predicted: Float32, true: Float32) -> float:
    moving = (true.std(axis=0) > 0.005) & (predicted.std(axis=0) > 0)
    pairs = zip(predicted.T[moving], true.T[moving], strict=True)
    return float(np.median([np.corrcoef(a, b)[0, 1] for a, b in pairs])) if moving.any() else float("nan")


def _start(config: RegionConfig) -> _State:
    """A new run, or the one to resume."""
    network = new_network(config.region)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(network, multi_avg_fn=_ema(config.ema), use_buffers=True)
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    state = _State(network, average, torch.optim.AdamW(groups, lr=config.lr))
    if config.resume:
        saved = load_checkpoint(config.output / CHECKPOINT)
        try:
            network.load_state_dict(saved["network"])
            average.load_state_dict(saved["average"])
            state.optimizer.load_state_dict(saved["optimizer"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise DataError("the checkpoint of the run is of another network: resume with the same region") from error
        state.step = int(saved["step"])
    return state


def _ema(half_life: int) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """Exponential moving average with a half-life in steps; shorter during the first steps."""
    decay = 0.5 ** (1.0 / half_life)

    def update(average: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        steps = int(count)
        get_ema_multi_avg_fn(min(decay, (1 + steps) / (10 + steps)))(average, current, count)  # type: ignore[no-untyped-call]

    return update


def _averaged(state: _State) -> RegionNetwork:
    network = state.average.module
    assert isinstance(network, RegionNetwork)
    return network


def _save(state: _State, path: Path) -> None:
    saved = {
        "step": state.step,
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "optimizer": state.optimizer.state_dict(),
    }
    write_checkpoint(saved, path)


def _lr(step: int, config: RegionConfig) -> float:
    """Linear warm-up, then a cosine down to 1 % of the peak."""
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    progress = min(1.0, (step - config.warmup) / max(1, config.steps - config.warmup))
    return config.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def _prefetched(stream: PatchStream, config: RegionConfig, count: int) -> Iterator[Batch]:
    """Batches: new photos prepared in a thread during training, completed with photos of earlier batches."""
    ready: queue.Queue[Batch | Exception] = queue.Queue(_QUEUE)
    new = max(1, config.batch_size // config.reuse)
    pool = Pool(_POOL // stream.rows, stream.rows, config.seed)

    def fill() -> None:
        try:
            for number in range(count):
                ready.put(stream.sample(new if number else config.batch_size))
        except Exception as error:  # raised again in the main thread
            ready.put(error)

    threading.Thread(target=fill, daemon=True).start()
    for _ in range(count):
        received = ready.get()
        if isinstance(received, Exception):
            raise received
        yield pool.completed(received, config.batch_size)
