"""Training of the region networks (`ddfa train-regions`): train, calibrate, export, add to a bundle."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel

from ddfa.arrays import Float32
from ddfa.data.regions.labels import Corpus
from ddfa.files import make_folder
from ddfa.head.open import load_open_head
from ddfa.progress import track
from ddfa.regress.bundle import Bundle
from ddfa.regress.regions import MOUTH_UNITS
from ddfa.regress.registry import find_bundle
from ddfa.train.descent import descend
from ddfa.train.log import RunLog
from ddfa.train.regions.batches import Batch, PatchStream, Pool, mirrored_units
from ddfa.train.regions.calibration import FILES, add_region, calibrate
from ddfa.train.regions.config import RegionConfig
from ddfa.train.regions.export import export_region
from ddfa.train.regions.loss import predict_batch, region_loss, spread_of
from ddfa.train.regions.network import RegionNetwork, new_network
from ddfa.train.schedule import cosine
from ddfa.train.state import CHECKPOINT, ema_of, load_checkpoint, parameter_groups, restore_state, save_state

BUNDLE = "bundle"
_QUEUE = 6
_POOL = 20_000  # rows stored for reuse
_GRAD_CLIP = 5.0
_FLOOR = 0.01  # learning rate at the end over the peak
_SAVED_EVERY, _VALIDATED_EVERY = 250, 1000


@dataclass(eq=False)
class _State:
    """Everything a run holds besides its data."""

    network: RegionNetwork
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    step: int = 0

    @property
    def parts(self) -> dict[str, Any]:
        """What a checkpoint stores besides the step."""
        return {"network": self.network, "average": self.average, "optimizer": self.optimizer}


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
    steps = config.steps - state.step
    for batch in track(_prefetched(stream, config, steps), f"training the {config.region} network", steps):
        lr = cosine(state.step, config.steps, config.lr, config.warmup, _FLOOR, start=config.warmup)
        terms = region_loss(state.network, batch, spread, config.asymmetry)
        descend(terms["loss"], lr, state.network, state.average, state.optimizer, _GRAD_CLIP)
        state.step += 1
        log.add(state.step, lr, {name: value.detach() for name, value in terms.items()})
        if state.step % _VALIDATED_EVERY == 0 or state.step == config.steps:
            log.validated(state.step, validate(_averaged(state), validation))
        if state.step % _SAVED_EVERY == 0 or state.step == config.steps:
            save_state(config.output / CHECKPOINT, state.step, state.parts)
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
    average = ema_of(network, 0.5 ** (1.0 / config.ema))
    optimizer = torch.optim.AdamW(parameter_groups(network, config.weight_decay), lr=config.lr)
    state = _State(network, average, optimizer)
    if config.resume:
        path = config.output / CHECKPOINT
        state.step = restore_state(load_checkpoint(path), state.parts, path)
    return state


def _averaged(state: _State) -> RegionNetwork:
    network = state.average.module
    assert isinstance(network, RegionNetwork)
    return network


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
