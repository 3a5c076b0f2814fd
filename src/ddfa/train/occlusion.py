"""`ddfa train-occlusion`: training of the network that segments what occludes a face, for `ddfa replace`."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from ddfa.data.occlusion_set import OccludedFaces, UnoccludedFace, crop_unoccluded_faces, draw_hands
from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.errors import DataError
from ddfa.head.model import HeadModel
from ddfa.occlusion.network import SIDE
from ddfa.progress import Bar
from ddfa.train.convert.onnx_export import export_onnx
from ddfa.train.networks.occlusion_net import OcclusionNet, WithProbabilities
from ddfa.train.small_configs import OcclusionConfig
from ddfa.train.small_run import Recipe, SmallRun

NETWORK: Final = "occlusion.onnx"
_RECIPE: Final = Recipe(ema_decay=0.995, warmup=200, validate_every=1000)
_HELD_OUT, _HELD_OUT_SAMPLES, _HELD_OUT_HANDS = 0.05, 256, 200
_FIRST_SAMPLE: Final = 2**32  # samples held out have smaller numbers, hence other random generators


class _Samples(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Samples by number, so that a resumed run draws the same ones."""

    def __init__(self, source: OccludedFaces, seed: int, first: int, last: int) -> None:
        self._source, self._seed, self._first, self._last = source, seed, first, last

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        sample = self._source.sample(np.random.default_rng([self._seed, self._first + number]))
        return torch.from_numpy(sample.inputs), torch.from_numpy(sample.occluded), torch.from_numpy(sample.weight)


def train_occlusion(config: OcclusionConfig) -> float:
    """Train the network; an interrupted run is continued with `resume`.

    Args:
        config: the settings.

    Returns:
        Intersection over union (IoU) on held-out faces and hands.

    Raises:
        DataError: the data cannot be used, there is nothing to resume, or the loss is no longer finite.
        OutputError: the run folder cannot be written.
    """
    run = SmallRun(config, _RECIPE, lambda: OcclusionNet().to(config.device))
    source, unseen = _sources(config)
    held_out = [_on(config, batch) for batch in _batches(unseen, config, -min(_HELD_OUT_SAMPLES, config.samples), 0)]
    run.start(lambda network: {"overlap": overlap(network, held_out)})
    first, last = run.begun, max(run.begun, config.steps)
    with Bar("training", config.steps, first) as bar:
        batches = _batches(source, config, first * config.batch_size, last * config.batch_size)
        for step, batch in zip(range(first, last), batches, strict=True):
            inputs, occluded, weight = _on(config, batch)
            run.step(step, occlusion_loss(run.network(inputs), occluded, weight))
            bar.advance()
            bar.note(run.log.line)
    run.finish()
    export_onnx(WithProbabilities(run.average.module).cpu(), config.output / NETWORK, SIDE, channels=7)
    return run.figures["overlap"]


def occlusion_loss(logits: Tensor, occluded: Tensor, weight: Tensor) -> Tensor:
    """Binary cross entropy plus half the Dice loss, both weighted by pixel.

    Source of the Dice loss: Milletari, Navab and Ahmadi, "V-Net" (3DV 2016).

    Args:
        logits: (n, 1, S / 2, S / 2).
        occluded: (n, S, S) in [0, 1], ground truth.
        weight: (n, S, S) in [0, 1], of each pixel.
    """
    # The network predicts at half the resolution; averaging keeps the partly occluded pixels of soft edges.
    truth, weight = (functional.avg_pool2d(a[:, None], 2) for a in (occluded, weight))
    each = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    entropy = (each * weight).sum() / weight.sum().clamp_min(1)
    predicted = torch.sigmoid(logits)
    # Over the whole batch and smoothed by one pixel: faces without any occlusion would make the ratio undefined.
    both, total = (predicted * truth * weight).sum(), ((predicted + truth) * weight).sum()
    return entropy + 0.5 * (1 - (2 * both + 1) / (total + 1))


def overlap(network: nn.Module, batches: list[tuple[Tensor, Tensor, Tensor]]) -> float:
    """Intersection over union (IoU) of prediction and ground truth, weighted by pixel."""
    network.eval()
    both = either = 0.0
    with torch.no_grad():
        for inputs, occluded, each in batches:
            truth, weight = (functional.avg_pool2d(a[:, None], 2) for a in (occluded, each))
            predicted, true = network(inputs) > 0, truth > 0.5  # a logit above 0 is a probability above 1/2
            both += float(((predicted & true) * weight).sum())
            either += float(((predicted | true) * weight).sum())
    network.train()
    return both / max(either, 1e-9)


def _sources(config: OcclusionConfig) -> tuple[OccludedFaces, OccludedFaces]:
    head = HeadModel.load()
    own: list[UnoccludedFace] = []
    unseen: list[UnoccludedFace] = []
    share = config.faces / len(config.data)
    for folder in config.data:
        train, held_out = LabelledPhotos.open(folder, head, config.worst).split(_HELD_OUT)
        for data, faces, most in ((train, own, share), (held_out, unseen, share * _HELD_OUT)):
            count = min(len(data.labels), max(1, round(most)))
            chosen = np.random.default_rng(config.seed).permutation(len(data.labels))[:count]
            faces += crop_unoccluded_faces(data, [int(i) for i in chosen], head, config.workers + 1)
    if not own or not unseen:
        raise DataError(f"{', '.join(map(str, config.data))} hold too few faces: label more photos")
    hands = draw_hands(config.hands, config.seed, config.workers + 1)
    others = draw_hands(min(_HELD_OUT_HANDS, config.hands), config.seed + 1, config.workers + 1)
    return OccludedFaces(own, hands), OccludedFaces(unseen, others)


def _batches(
    source: OccludedFaces, config: OcclusionConfig, first: int, last: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    samples = _Samples(source, config.seed, _FIRST_SAMPLE + first, _FIRST_SAMPLE + last)
    return iter(DataLoader(samples, config.batch_size, num_workers=config.workers, drop_last=True))


def _on(config: OcclusionConfig, batch: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    inputs, occluded, weight = (part.to(config.device) for part in batch)
    return inputs.contiguous(memory_format=torch.channels_last), occluded, weight
