"""Training of the region networks on patches cut anew from photos, and their export."""

import io
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

from ddfa.arrays import Float32, UInt8
from ddfa.errors import DataError
from ddfa.files import make_folder, write_atomically
from ddfa.head.open import load_open_head
from ddfa.regress.patches import EYE_SIDE, MOUTH_SIDE
from ddfa.regress.regions import (
    EYE_FILE,
    EYE_PLACES,
    EYE_UNITS,
    FURTHER_INPUTS,
    MOUTH_FILE,
    MOUTH_PLACES,
    MOUTH_UNITS,
)
from ddfa.train.log import RunLog
from ddfa.train.region_batches import JUNK_ERROR, Batch, Corpus, PatchStream, Pool, Region, mirrored_units
from ddfa.train.region_export import small_weights
from ddfa.train.region_network import RegionNetwork
from ddfa.train.state import CHECKPOINT, averaged_tensors, load_checkpoint, write_checkpoint

_QUEUE = 6
_POOL = 20_000  # rows kept to be learnt from again
_SMALLEST_STD = 0.04  # units that move less are not blown up further
_TONGUE_STD = 0.15  # its targets come with drawn tongues
_PLACE_STD = 0.08  # patch units
_SAVED_EVERY, _VALIDATED_EVERY = 250, 1000
_FILES: dict[Region, str] = {"eye": EYE_FILE, "mouth": MOUTH_FILE}


@dataclass(frozen=True)
class RegionConfig:
    """Settings of a run.

    Attributes:
        region: which network.
        data: folder of `label_corpus`.
        output: the run folder.
        corpora: names of the corpora in `data`.
        steps: optimiser steps.
        batch: photos per step.
        rate: peak learning rate; linear warm-up, then cosine.
        warmup: steps.
        decay: weight decay.
        average: half-life of the weights' average, steps.
        reuse: how often a patch is learnt from; cutting them costs as much as learning.
        asymmetry: weight of the loss on left minus right.
        threads: of PyTorch.
        seed: of weights and draws.
        resume: go on from the run's checkpoint.
    """

    region: Region
    data: Path
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    corpora: tuple[str, ...] = ("photos_0", "photos_1", "photos_2", "w300")
    steps: int = 12_000
    batch: int = 64
    rate: float = 3e-3
    warmup: int = 200
    decay: float = 0.05
    average: int = 300
    reuse: int = 4
    asymmetry: float = 0.5
    threads: int = 2
    seed: int = 0
    resume: bool = False


@dataclass(eq=False)
class Spread:
    """Standard deviations that errors are divided by.

    Attributes:
        units: (U,) of each unit.
        difference: (U,) of each unit's left minus right.
    """

    units: Tensor
    difference: Tensor


@dataclass(eq=False)
class _State:
    """What a run holds."""

    network: RegionNetwork
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    step: int = 0


def train_region(config: RegionConfig) -> Path:
    """Train a network and export it.

    Args:
        config: the settings.

    Returns:
        The ONNX file.

    Raises:
        DataError: the data are missing, or the loss is no longer finite.
    """
    torch.set_num_threads(config.threads)
    cv2.setNumThreads(1)  # patches are small
    torch.manual_seed(config.seed)
    make_folder(config.output)
    names = load_open_head().expression_names
    corpora = [Corpus.load(config.data, name, held_out=False) for name in config.corpora]
    aside = [Corpus.load(config.data, name, held_out=True) for name in config.corpora]
    state = _start(config)
    stream = PatchStream(config.region, corpora, names, config.seed + 1 + state.step)
    held_out = PatchStream(config.region, aside, names, 0, augment=False)
    spread = spread_of(stream)
    log = RunLog(config.output, state.step, config.batch, tensorboard=False)
    rate = 0.0
    for batch in _ahead(stream, config, config.steps - state.step):
        rate = _rate(state.step, config)
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        terms = region_loss(state.network, batch, spread, config)
        state.optimizer.zero_grad()
        terms["loss"].backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
        state.optimizer.step()
        state.average.update_parameters(state.network)
        state.step += 1
        log.add(state.step, rate, {name: value.detach() for name, value in terms.items()})
        if state.step % _VALIDATED_EVERY == 0 or state.step == config.steps:
            log.validated(state.step, validate(_averaged(state), held_out))
        if state.step % _SAVED_EVERY == 0 or state.step == config.steps:
            _save(state, config.output / CHECKPOINT)
            print(f"{config.region} step {state.step}/{config.steps}  {log.line}", flush=True)
    log.close(state.step, rate)
    return export_region(_averaged(state), config.output / _FILES[config.region])


def region_loss(network: RegionNetwork, batch: Batch, spread: Spread, config: RegionConfig) -> dict[str, Tensor]:
    """The terms of the loss and their sum, `loss`.

    Args:
        network: in training mode.
        batch: eyes in pairs, left and right of one photo.
        spread: of the targets.
        config: weights of the terms.
    """
    out = network(network_inputs(batch.patches), torch.from_numpy(batch.further))
    count = network.units
    seen = (~torch.from_numpy(batch.junk)).float()
    target = torch.from_numpy(batch.units)
    error = (out[:, :count] - target) / spread.units
    units = (_huber(error).mean(dim=1) * seen).mean()
    places = (_huber((out[:, count:-1] - torch.from_numpy(batch.places)) / _PLACE_STD).mean(dim=1) * seen).mean()
    if config.region == "eye":
        differs = (out[0::2, :count] - out[1::2, :count]) - (target[0::2] - target[1::2])
        both = seen[0::2] * seen[1::2]
    else:
        mirror = mirrored_units(MOUTH_UNITS)
        differs, both = ((out[:, :count] - target) - (out[:, :count] - target)[:, mirror]), seen
    asymmetry = (_huber(differs / spread.difference).mean(dim=1) * both).mean()
    # What the network expects its squared error to be, over the variance of the units.
    expected = error.detach().square().clamp(max=9).mean(dim=1) * seen + JUNK_ERROR * (1 - seen)
    log_error = out[:, -1].clamp(-6, 3)
    doubt = (expected * torch.exp(-log_error) + log_error).mean()
    loss = units + config.asymmetry * asymmetry + 0.3 * places + 0.05 * doubt
    return {"loss": loss, "units": units, "asymmetry": asymmetry, "places": places, "doubt": doubt}


def _huber(error: Tensor) -> Tensor:
    return torch.nn.functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=2.0)


def network_inputs(patches: UInt8) -> Tensor:
    """Patches (m, S, S, 3) uint8 as network inputs (m, 3, S, S), channels last."""
    return (torch.from_numpy(patches).permute(0, 3, 1, 2).float() - 127.5) / 128


def predict_batch(network: torch.nn.Module, batch: Batch) -> Float32:
    """Outputs (m, O) of a network in evaluation mode, as for `RegionNetwork.forward`."""
    with torch.no_grad():
        out = network(network_inputs(batch.patches), torch.from_numpy(batch.further))
    return np.asarray(out.numpy(), np.float32)


def validate(network: RegionNetwork, held_out: PatchStream) -> dict[str, float]:
    """Median correlation of units, and of left minus right, on photos kept aside.

    Args:
        network: the averaged one.
        held_out: not augmented.
    """
    network.eval()
    outputs, targets = [], []
    for start in range(0, len(held_out), 128):
        batch = held_out.batch(np.arange(start, min(start + 128, len(held_out))))
        outputs.append(predict_batch(network, batch)[:, : network.units])
        targets.append(batch.units)
    said, true = np.clip(np.concatenate(outputs), 0, 1), np.concatenate(targets)
    if held_out.region == "eye":
        differences = said[0::2] - said[1::2], true[0::2] - true[1::2]
    else:
        mirror = mirrored_units(MOUTH_UNITS)
        differences = said - said[:, mirror], true - true[:, mirror]
    return {"r": _median_r(said, true), "r_difference": _median_r(*differences)}


def _median_r(said: Float32, true: Float32) -> float:
    moving = (true.std(axis=0) > 0.005) & (said.std(axis=0) > 0)
    pairs = zip(said.T[moving], true.T[moving], strict=True)
    return float(np.median([np.corrcoef(a, b)[0, 1] for a, b in pairs])) if moving.any() else float("nan")


def export_region(network: RegionNetwork, path: Path) -> Path:
    """Write a network as ONNX, inputs `patches` (n, 3, S, S) and `further` (n, F), any n; weights as float16.

    Args:
        network: the averaged one.
        path: the file.

    Returns:
        The same path.
    """
    buffer = io.BytesIO()
    example = torch.zeros(2, 3, network.side, network.side), torch.zeros(2, network.further)
    torch.onnx.export(
        network.deployed(),
        example,
        buffer,
        dynamo=False,
        input_names=["patches", "further"],
        output_names=["regions"],
        dynamic_axes={name: {0: "n"} for name in ("patches", "further", "regions")},
    )
    write_atomically(path, small_weights(buffer.getvalue()))
    return path


def _start(config: RegionConfig) -> _State:
    """A new run, or the one to resume."""
    network = new_network(config.region)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(network, multi_avg_fn=_decay(config.average), use_buffers=True)
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": config.decay}, {"params": others, "weight_decay": 0.0}]
    state = _State(network, average, torch.optim.AdamW(groups, lr=config.rate))
    if config.resume:
        saved = load_checkpoint(config.output / CHECKPOINT)
        try:
            network.load_state_dict(saved["network"])
            average.load_state_dict(saved["average"])
            state.optimizer.load_state_dict(saved["optimizer"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise DataError("the run's checkpoint is of another network: resume with its own settings") from error
        state.step = int(saved["step"])
    return state


def new_network(region: Region) -> RegionNetwork:
    """An untrained network of a region."""
    if region == "eye":
        return RegionNetwork(EYE_SIDE, len(EYE_UNITS) + FURTHER_INPUTS, len(EYE_UNITS), EYE_PLACES)
    return RegionNetwork(MOUTH_SIDE, len(MOUTH_UNITS) + FURTHER_INPUTS, len(MOUTH_UNITS), MOUTH_PLACES)


def load_network(region: Region, checkpoint: Path) -> RegionNetwork:
    """The averaged network of a checkpoint.

    Raises:
        DataError: it is missing or of another network.
    """
    network = new_network(region)
    tensors = averaged_tensors(load_checkpoint(checkpoint))
    tensors.pop("n_averaged", None)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise DataError(f"{checkpoint} is not of the {region} network: name another one") from error
    return network.eval()


def _decay(half_life: int) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """Exponential average with a half-life in steps, shorter in the first steps."""
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


def spread_of(stream: PatchStream) -> Spread:
    """The spread of a stream's targets."""
    units = stream.targets.reshape(-1, stream.unit_count)
    if stream.region == "eye":
        differences = stream.targets[:, 0] - stream.targets[:, 1]
    else:
        differences = units - units[:, mirrored_units(MOUTH_UNITS)]
    floor = np.full(stream.unit_count, _SMALLEST_STD)
    if stream.region == "mouth":
        floor[MOUTH_UNITS.index("tongueOut")] = _TONGUE_STD
    return Spread(
        torch.from_numpy(np.maximum(units.std(axis=0), floor).astype(np.float32)),
        torch.from_numpy(np.maximum(differences.std(axis=0), floor).astype(np.float32)),
    )


def _rate(step: int, config: RegionConfig) -> float:
    """Linear warm-up, then cosine down to a hundredth of the peak."""
    if step < config.warmup:
        return config.rate * (step + 1) / config.warmup
    progress = min(1.0, (step - config.warmup) / max(1, config.steps - config.warmup))
    return config.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def _ahead(stream: PatchStream, config: RegionConfig, count: int) -> Iterator[Batch]:
    """Batches: some photos drawn anew by a thread while the network learns, the others drawn before."""
    ready: queue.Queue[Batch | Exception] = queue.Queue(_QUEUE)
    fresh = max(1, config.batch // config.reuse)
    pool = Pool(_POOL // stream.rows, stream.rows, config.seed)

    def fill() -> None:
        try:
            for number in range(count):
                ready.put(stream.draw(fresh if number else config.batch))
        except Exception as error:  # handed to the thread that waits
            ready.put(error)

    threading.Thread(target=fill, daemon=True).start()
    for _ in range(count):
        got = ready.get()
        if isinstance(got, Exception):
            raise got
        yield pool.completed(got, config.batch)
