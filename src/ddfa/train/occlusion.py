"""`ddfa train-covering`: the network that finds hands and things before faces, for `ddfa replace`."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import torch
import tyro
import yaml
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from ddfa.data.occlusion_set import OccludedFaces, UnoccludedFace, crop_unoccluded_faces, draw_hands
from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.errors import DataError
from ddfa.files import make_folder, write_atomically
from ddfa.head.model import HeadModel
from ddfa.replace.occlusion.network import SIDE
from ddfa.train.convert.onnx_export import export_onnx
from ddfa.train.log import RunLog
from ddfa.train.state import CHECKPOINT, load_checkpoint, write_checkpoint

NETWORK: Final = "occlusion.onnx"
_CHANNELS: Final = (16, 24, 40, 64, 96)  # at a half, a quarter, ... of the side
_AVERAGE: Final = 0.995
_HELD_OUT, _HELD_OUT_SAMPLES, _HELD_OUT_HANDS = 0.05, 256, 200
_VALIDATE_EVERY: Final = 1000


@dataclass(frozen=True)
class OcclusionConfig:
    """How the network is trained.

    Attributes:
        data: data sets of `ddfa data label`: photos with the heads fitted to them.
        output: run folder; receives config.yaml, log.csv, checkpoint.pt and occlusion.onnx.
        faces: most faces to take.
        hands: hands to draw.
        samples: faces shown to the network.
        batch_size: samples per step.
        lr: peak learning rate of AdamW.
        worst: share of the labels with the largest fit error to leave out.
        resume: go on with the checkpoint in `output`.
        workers: processes that prepare samples.
        threads: of torch on a CPU.
        device: of torch.
        seed: of all that is random.
    """

    data: tuple[Path, ...]
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    faces: int = 8000
    hands: int = 4000
    samples: int = 300_000
    batch_size: int = 32
    lr: float = 3e-3
    worst: float = 0.04
    resume: bool = False
    workers: int = 1
    threads: int = 2
    device: str = "cpu"
    seed: int = 0

    @property
    def steps(self) -> int:
        """Optimiser steps of the run."""
        return max(1, self.samples // self.batch_size)


class OcclusionNet(nn.Module):
    """A small U-shaped network of separable convolutions, from what is seen to logits at half the side.

    Source of the shape: Ronneberger, Fischer and Brox, "U-Net" (MICCAI 2015).
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _conv(7, _CHANNELS[0], 3, 2)
        pairs = list(pairwise(_CHANNELS))
        self.down = nn.ModuleList(
            nn.Sequential(_separable(a, b, 2), _separable(b, b), _separable(b, b)) for a, b in pairs
        )
        self.up = nn.ModuleList(_separable(a + b, a) for a, b in reversed(pairs))
        self.last = nn.Conv2d(_CHANNELS[0], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 1, S / 2, S / 2) of inputs (n, 7, S, S)."""
        levels = [self.stem(x)]
        for down in self.down:
            levels.append(down(levels[-1]))
        out = levels.pop()
        for up in self.up:
            beside = levels.pop()
            out = functional.interpolate(out, scale_factor=2.0, mode="bilinear", align_corners=False)
            out = up(torch.cat([beside, out], dim=1))
        logits: Tensor = self.last(out)
        return logits


class _Deployed(nn.Module):
    """The network with its logits as probabilities."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities (n, 1, S / 2, S / 2) of inputs (n, 7, S, S)."""
        return torch.sigmoid(self.network(x))


def _conv(channels_in: int, channels_out: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(channels_in, channels_out, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True))


def _separable(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(_conv(channels_in, channels_in, 3, stride, channels_in), _conv(channels_in, channels_out, 1))


class _Samples(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Samples by number: a resumed run sees the same ones."""

    def __init__(self, source: OccludedFaces, seed: int, first: int, last: int) -> None:
        self._source, self._seed, self._first, self._last = source, seed, first, last

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        sample = self._source.sample(np.random.default_rng([self._seed, self._first + number]))
        return torch.from_numpy(sample.seen), torch.from_numpy(sample.covered), torch.from_numpy(sample.counts)


def train_occlusion(config: OcclusionConfig) -> float:
    """Train the network; an interrupted run goes on with `resume`.

    Args:
        config: the settings.

    Returns:
        Intersection over union with the truth on faces and hands kept aside.

    Raises:
        DataError: the data cannot be used, there is nothing to resume, or the loss is no longer finite.
        OutputError: the run folder cannot be written.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    make_folder(config.output)
    network = OcclusionNet().to(config.device)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(_AVERAGE), use_buffers=True)  # type: ignore[no-untyped-call]
    optimizer = torch.optim.AdamW(network.parameters(), config.lr, weight_decay=0.02)
    begun = _resume(config, network=network, average=average, optimizer=optimizer) if config.resume else 0
    source, aside = _sources(config)
    held_out = [_on(config, batch) for batch in _batches(aside, config, -min(_HELD_OUT_SAMPLES, config.samples), 0)]
    settings = {name: str(value) for name, value in asdict(config).items()}
    write_atomically(config.output / "config.yaml", yaml.safe_dump(settings).encode())
    iou = overlap(average, held_out) if begun else 0.0
    log = RunLog(config.output, begun, config.batch_size, tensorboard=False)
    with Progress(
        TextColumn("train"), BarColumn(), TextColumn("{task.fields[line]}"), TimeRemainingColumn()
    ) as progress:
        bar = progress.add_task("", total=config.steps, completed=begun, line="")
        batches = _batches(source, config, begun * config.batch_size, max(begun, config.steps) * config.batch_size)
        for step, batch in zip(range(begun, config.steps), batches, strict=True):
            rate = config.lr * _schedule(step, config.steps)
            for group in optimizer.param_groups:
                group["lr"] = rate
            seen, covered, counts = _on(config, batch)
            loss = occlusion_loss(network(seen), covered, counts)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            average.update_parameters(network)
            done = step + 1
            if done % _VALIDATE_EVERY == 0 or done == config.steps:
                iou = overlap(average, held_out)
                log.validated(done, {"overlap": iou})
                _save(config, done, network=network, average=average, optimizer=optimizer)
            log.add(done, rate, {"loss": loss.detach()})
            progress.update(bar, completed=done, line=log.line)
    log.close(config.steps, config.lr * _schedule(config.steps, config.steps))
    export_onnx(_Deployed(average.module).cpu(), config.output / NETWORK, SIDE, channels=7)
    return iou


def occlusion_loss(logits: Tensor, covered: Tensor, counts: Tensor) -> Tensor:
    """Cross entropy plus one minus the Dice coefficient, over the pixels that count.

    Args:
        logits: (n, 1, S / 2, S / 2).
        covered: (n, S, S) in [0, 1].
        counts: (n, S, S) in [0, 1].
    """
    truth, weight = (functional.avg_pool2d(a[:, None], 2) for a in (covered, counts))
    each = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    entropy = (each * weight).sum() / weight.sum().clamp_min(1)
    found = torch.sigmoid(logits)
    both, total = (found * truth * weight).sum(), ((found + truth) * weight).sum()
    return entropy + 0.5 * (1 - (2 * both + 1) / (total + 1))


def overlap(network: nn.Module, batches: list[tuple[Tensor, Tensor, Tensor]]) -> float:
    """Intersection over union of what is found and the truth, over the pixels that count."""
    network.eval()
    both = either = 0.0
    with torch.no_grad():
        for seen, covered, counts in batches:
            truth, weight = (functional.avg_pool2d(a[:, None], 2) for a in (covered, counts))
            found, true = network(seen) > 0, truth > 0.5
            both += float(((found & true) * weight).sum())
            either += float(((found | true) * weight).sum())
    network.train()
    return both / max(either, 1e-9)


def _sources(config: OcclusionConfig) -> tuple[OccludedFaces, OccludedFaces]:
    head = HeadModel.load()
    own: list[UnoccludedFace] = []
    aside: list[UnoccludedFace] = []
    share = config.faces / len(config.data)
    for folder in config.data:
        train, kept = LabelledPhotos.open(folder, head, config.worst).split(_HELD_OUT)
        for data, faces, most in ((train, own, share), (kept, aside, share * _HELD_OUT)):
            count = min(len(data.labels), max(1, round(most)))
            chosen = np.random.default_rng(config.seed).permutation(len(data.labels))[:count]
            faces += crop_unoccluded_faces(data, [int(i) for i in chosen], head, config.workers + 1)
    if not own or not aside:
        raise DataError(f"{', '.join(map(str, config.data))} hold too few faces: label more photos")
    hands = draw_hands(config.hands, config.seed, config.workers + 1)
    others = draw_hands(min(_HELD_OUT_HANDS, config.hands), config.seed + 1, config.workers + 1)
    return OccludedFaces(own, hands), OccludedFaces(aside, others)


def _batches(
    source: OccludedFaces, config: OcclusionConfig, first: int, last: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    samples = _Samples(source, config.seed, first + 2**32, last + 2**32)
    return iter(DataLoader(samples, config.batch_size, num_workers=config.workers, drop_last=True))


def _on(config: OcclusionConfig, batch: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    seen, covered, counts = (part.to(config.device) for part in batch)
    return seen.contiguous(memory_format=torch.channels_last), covered, counts


def _schedule(step: int, steps: int) -> float:
    """Warm-up, then half a cosine."""
    return min(1.0, (step + 1) / 200) * (0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * step / steps))))


def _save(config: OcclusionConfig, step: int, **parts: Any) -> None:
    states = {name: part.state_dict() for name, part in parts.items()}
    write_checkpoint({"step": step} | states, config.output / CHECKPOINT)


def _resume(config: OcclusionConfig, **parts: Any) -> int:
    saved = load_checkpoint(config.output / CHECKPOINT)
    try:
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        return int(saved["step"])
    except (RuntimeError, KeyError, ValueError) as error:
        raise DataError(f"{config.output / CHECKPOINT} is of another network: start without --resume") from error
