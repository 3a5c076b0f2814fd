"""`ddfa train-proposals`: training of the network that tells the detector where to look for small faces."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ddfa.arrays import Float32, Int32, UInt8
from ddfa.data.crowds import BACKGROUND, SIDE, CrowdSheets, proposal_labels
from ddfa.data.sets.photos import Photos
from ddfa.detect.proposals import luma
from ddfa.detect.yunet import NMS_OVERLAP, WEIGHTS
from ddfa.detect.yunet_network import YuNetNetwork
from ddfa.errors import DataError
from ddfa.progress import track
from ddfa.train.convert.onnx_export import export_onnx
from ddfa.train.networks.proposal_net import ProposalNet
from ddfa.train.small_configs import ProposalConfig
from ddfa.train.small_run import Recipe, SmallRun

NETWORK: Final = "proposals.onnx"
_RECIPE: Final = Recipe(ema_decay=0.998, warmup=200, validate_every=500, ema_ramp=True)
_HELD_OUT: Final = 0.04
_FOUND, _DOUBTFUL = 0.6, 0.3  # YuNet's scores: a face to be proposed; neither a face nor background in between
_FACE_WEIGHT: Final = 0.5  # of the faces in the loss, relative to the background
_RECALL: Final = 0.992  # of the faces of each bin of sizes, which fixes the threshold
_BINS: Final = (14, 16, 24, 32, 48, 64, 80)  # px


@dataclass(frozen=True, eq=False)
class Sheets:
    """Labelled sheets.

    Attributes:
        luma: (n, 1, SIDE, SIDE) uint8.
        cells: (n, rows, columns) int32, what each cell shows: `BACKGROUND`, `NEITHER` or the number of a face.
        sides: (m,) float32, the longer side of each face, px.
    """

    luma: Tensor
    cells: Tensor
    sides: Tensor

    @staticmethod
    def draw(crowds: CrowdSheets, yunet: YuNetNetwork, seed: tuple[int, ...], count: int) -> "Sheets":
        """Draw sheets and label them."""
        images, labels, sides, faces = list[UInt8](), list[Int32](), list[Float32](), 0
        for number in track(range(count), "sheets"):
            sheet = crowds.draw(np.random.default_rng([*seed, number]))
            cells, own = proposal_labels(sheet, yunet, _FOUND)
            images.append(luma(sheet))
            labels.append(np.where(cells >= 0, cells + faces, cells))
            sides.append(own)
            faces += len(own)
        return Sheets(
            torch.from_numpy(np.stack(images)[:, None]),
            torch.from_numpy(np.stack(labels)),
            torch.from_numpy(np.concatenate(sides)),
        )

    def batch(self, index: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Sheets of other contrast and brightness, half of them mirrored.

        Args:
            index: (k,) which.
            random: the generator.

        Returns:
            Luma (k, 1, SIDE, SIDE) float32, and cells (k, rows, columns).
        """
        images, cells = self.luma[index].float(), self.cells[index]
        mirrored = torch.rand(len(index), generator=random) < 0.5
        images[mirrored], cells[mirrored] = images[mirrored].flip(-1), cells[mirrored].flip(-1)
        gain = torch.exp(0.25 * torch.randn(len(index), 1, 1, 1, generator=random))
        offset = 20 * torch.randn(len(index), 1, 1, 1, generator=random)
        return ((images - 127.5) * gain + 127.5 + offset).clamp(0, 255), cells


def train_proposals(config: ProposalConfig) -> float:
    """Train the network; an interrupted run is continued with `resume`.

    Args:
        config: the settings.

    Returns:
        Share of the background of held-out sheets that is proposed at the chosen threshold.

    Raises:
        DataError: the photos cannot be used, there is nothing to resume, or the loss is no longer finite.
        OutputError: the run folder cannot be written.
    """
    run = SmallRun(config, _RECIPE, lambda: _new_network(config.device))
    sheets, held_out = _sources(config)

    def validate(network: nn.Module) -> dict[str, float]:
        threshold, proposed = operating_point(network, held_out, config.device)
        return {"threshold": threshold, "proposed": proposed}

    run.start(validate)
    for step in track(range(run.begun, config.steps), "training"):
        random = torch.Generator().manual_seed(config.seed * 2**32 + step)  # a resumed run draws the same samples
        index = torch.randint(len(sheets.luma), (config.batch_size,), generator=random)
        inputs, cells = (part.to(config.device) for part in sheets.batch(index, random))
        run.step(step, proposal_loss(run.network(inputs)[:, 0], cells))
    run.finish()
    plain = ProposalNet()
    plain.load_state_dict(run.average.module.state_dict())
    plain.fold(-run.figures["threshold"])  # proposed is what is above 0
    export_onnx(plain, config.output / NETWORK, SIDE, channels=1, any_size=True)
    return run.figures["proposed"]


def proposal_loss(logits: Tensor, cells: Tensor) -> Tensor:
    """Binary cross entropy of the background's cells, and of the faces', each face counted once whatever its size.

    Args:
        logits: (n, rows, columns).
        cells: (n, rows, columns), see `Sheets`.
    """
    background, face = cells == BACKGROUND, cells >= 0
    loss = functional.softplus(logits[background]).sum() / background.sum().clamp_min(1)
    if face.any():
        _, owner, count = torch.unique(cells[face], return_inverse=True, return_counts=True)
        loss = loss + _FACE_WEIGHT * (functional.softplus(-logits[face]) / count[owner]).sum() / len(count)
    return loss


def operating_point(network: nn.Module, sheets: Sheets, device: str) -> tuple[float, float]:
    """Choose the threshold that keeps the faces of every bin of sizes.

    Args:
        network: the network.
        sheets: labelled sheets that it has not been trained on.
        device: of the network.

    Returns:
        The threshold of the logits, and the share of the background above it.
    """
    network.eval()
    with torch.no_grad():
        logits = torch.cat([network(part.float().to(device))[:, 0].cpu() for part in torch.split(sheets.luma, 16)])
    network.train()
    face = sheets.cells >= 0
    best = torch.full((len(sheets.sides),), -torch.inf)
    best.scatter_reduce_(0, sheets.cells[face].long(), logits[face], "amax")
    bins = torch.bucketize(sheets.sides, torch.tensor(_BINS, dtype=torch.float32), right=True)
    visible = best.isfinite()  # the cells of one face may all be nearer to another one
    chosen = [best[visible & (bins == k)] for k in range(1, len(_BINS))]
    thresholds = [float(torch.quantile(one, 1 - _RECALL)) for one in chosen if len(one)]
    if not thresholds:
        return 0.0, 1.0
    return min(thresholds), float((logits[sheets.cells == BACKGROUND] > min(thresholds)).float().mean())


def _new_network(device: str) -> ProposalNet:
    network = ProposalNet().to(device)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _sources(config: ProposalConfig) -> tuple[Sheets, Sheets]:
    """Sheets for training, and those held out, of other photos."""
    scenes = [photos.read(name) for photos in map(Photos, config.scenes) for name in photos.names]
    names = [(photos, name) for photos in map(Photos, config.photos) for name in photos.names]
    chosen = np.random.default_rng(config.seed).permutation(len(names))[: config.faces]
    faces = [names[index][0].read(names[index][1]) for index in track(chosen, "photos")]
    count = round(_HELD_OUT * len(faces))
    if not count or count == len(faces):
        raise DataError(f"{', '.join(map(str, config.photos))} contain too few photos: name more")
    yunet = YuNetNetwork(WEIGHTS.read_bytes(), _DOUBTFUL, NMS_OVERLAP, config.threads)
    held_out = Sheets.draw(CrowdSheets(faces[:count], scenes), yunet, (config.seed, 1), config.held_out)
    return Sheets.draw(CrowdSheets(faces[count:], scenes), yunet, (config.seed, 0), config.sheets), held_out
