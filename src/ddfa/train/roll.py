"""`ddfa train-roll`: training of the network that estimates the roll of a face before it is aligned."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.data.sets.labels import image_euler
from ddfa.errors import DataError
from ddfa.geometry.pose import in_plane_deg, matrix_from_euler
from ddfa.geometry.roi import crop_matrix, roi_from_landmarks
from ddfa.head.model import HeadModel
from ddfa.progress import track
from ddfa.regress.roll import SIDE
from ddfa.regress.sampling import MIDDLE, RANGE
from ddfa.train.convert.onnx_export import export_onnx
from ddfa.train.networks.roll_net import SECTORS, RollNet
from ddfa.train.small_configs import RollConfig
from ddfa.train.small_run import Recipe, SmallRun

NETWORK: Final = "roll.onnx"
_RECIPE: Final = Recipe(ema_decay=0.995, warmup=100, validate_every=500)
_HELD_OUT: Final = 0.04
_CUT: Final = 80  # px, side of the stored crops
_ENLARGEMENT: Final = 1.35  # side of the stored crops relative to the RoI: room for shift and scale
_SECTOR_WEIGHT: Final = 0.15  # of the classification in the loss


@dataclass(frozen=True, eq=False)
class RollCrops:
    """Crops of faces with the angle by which each is tilted.

    Attributes:
        images: (n, 80, 80, 3) uint8 RGB; the RoI of the landmarks is the central square of 1 / 1.35 of their side.
        roll: (n,) float32 radians, clockwise.
        weight: (n,) float64, how often each is drawn: turned and tilted heads are rare among photos.
    """

    images: Tensor
    roll: Tensor
    weight: Tensor

    @staticmethod
    def of(data: LabelledPhotos) -> "RollCrops":
        """Cut the crops of labelled photos."""
        images = torch.empty((len(data.labels), _CUT, _CUT, 3), dtype=torch.uint8)
        squares = roi_from_landmarks(data.landmarks).astype(np.float64)
        centre, side = (squares[:, :2] + squares[:, 2:]) / 2, np.diff(squares[:, ::2], axis=1) * _ENLARGEMENT
        matrices = crop_matrix(np.concatenate([centre - side / 2, centre + side / 2], axis=1), _CUT)
        for index, name in enumerate(data.labels.names):
            photo = data.photos.read(name)
            crop = cv2.warpAffine(photo, matrices[index], (_CUT, _CUT), borderMode=cv2.BORDER_REFLECT_101)
            images[index] = torch.from_numpy(crop)
        euler = image_euler(data.labels.pose)
        roll = np.deg2rad(in_plane_deg(matrix_from_euler(euler)))
        yaw, pitch = np.abs(euler[:, 0]), np.abs(euler[:, 1])
        weight = 1 + 2 * np.minimum(yaw / 30, 2) + np.minimum(pitch / 20, 2)
        return RollCrops(images, torch.from_numpy(roll.astype(np.float32)), torch.from_numpy(weight))

    def batch(self, index: Tensor, random: torch.Generator, *, degrade: bool) -> tuple[Tensor, Tensor]:
        """Turn crops by random angles, with random scale, shift and mirroring.

        Args:
            index: (n,) which.
            random: the generator.
            degrade: also change colours and resolution, add noise and cover a part.

        Returns:
            Normalised inputs (n, 3, SIDE, SIDE), and the directions (n, 2) of the faces, cosine and sine.
        """
        count = len(index)
        angle = (torch.rand(count, generator=random) * 2 - 1) * torch.pi
        half = torch.exp((torch.rand(count, generator=random) * 2 - 1) * 0.25) * 1.02 / _ENLARGEMENT
        shift = torch.randn(count, 2, generator=random).clamp(-2, 2) * 0.18 / _ENLARGEMENT
        mirror = torch.where(torch.rand(count, generator=random) < 0.5, -1.0, 1.0)
        c, s = half * torch.cos(angle), half * torch.sin(angle)
        affine = torch.stack(
            [torch.stack([mirror * c, s, shift[:, 0]], 1), torch.stack([-mirror * s, c, shift[:, 1]], 1)], 1
        )
        grid = functional.affine_grid(affine, [count, 3, SIDE, SIDE], align_corners=False)
        source = self.images[index].permute(0, 3, 1, 2).float()
        # Reflected, not black: a black corner would tell by how much a photo has been turned.
        crops = functional.grid_sample(source, grid, padding_mode="reflection", align_corners=False)
        if degrade:
            crops = _degraded(crops, random)
        roll = mirror * (self.roll[index] + angle)
        return (crops - MIDDLE) / RANGE, torch.stack([torch.cos(roll), torch.sin(roll)], dim=1)


def train_roll(config: RollConfig) -> float:
    """Train the network; an interrupted run is continued with `resume`.

    Args:
        config: the settings.

    Returns:
        Median error on held-out faces, degrees.

    Raises:
        DataError: the data cannot be used, there is nothing to resume, or the loss is no longer finite.
        OutputError: the run folder cannot be written.
    """
    run = SmallRun(config, _RECIPE, lambda: RollNet().to(config.device))
    crops, unseen = _sources(config)
    run.start(lambda network: {"error_deg": held_out_error(network, unseen, config.device)})
    batches = _batches(crops, config, run.begun)
    for step, (inputs, truth) in track(batches, "training", config.steps - run.begun):
        run.step(step, roll_loss(run.network, inputs.to(config.device), truth.to(config.device)))
    run.finish()
    plain = RollNet()
    plain.load_state_dict(run.average.module.state_dict())
    export_onnx(plain, config.output / NETWORK, SIDE)
    return run.figures["error_deg"]


def roll_loss(network: RollNet, inputs: Tensor, truth: Tensor) -> Tensor:
    """Smooth L1 loss of the direction, plus cross entropy of its sector, which guides the first steps.

    The length of a direction learnt by regression falls with the spread of the angles that look alike: it is the
    confidence.

    Args:
        network: the network.
        inputs: (n, 3, SIDE, SIDE) normalised crops.
        truth: (n, 2) directions.
    """
    features = network.embed(inputs)
    turns = torch.atan2(truth[:, 1], truth[:, 0]) / (2 * torch.pi) % 1
    sector = (turns * SECTORS).long().clamp(0, SECTORS - 1)
    direct = functional.smooth_l1_loss(network.direction(features), truth, beta=0.2)
    return direct + _SECTOR_WEIGHT * functional.cross_entropy(network.sectors(features), sector)


def held_out_error(network: nn.Module, crops: RollCrops, device: str) -> float:
    """Median error in degrees on crops that are not degraded."""
    inputs, truth = crops.batch(torch.arange(len(crops.roll)), torch.Generator().manual_seed(0), degrade=False)
    network.eval()
    with torch.no_grad():
        found = network(inputs.to(device)).cpu()
    network.train()
    cosine_of_error = functional.cosine_similarity(found, truth).clamp(-1, 1)
    return float(torch.rad2deg(torch.acos(cosine_of_error)).median())


def _sources(config: RollConfig) -> tuple[RollCrops, RollCrops]:
    """Crops for training, and those held out."""
    head = HeadModel.load()
    splits = [LabelledPhotos.open(folder, head).split(_HELD_OUT) for folder in config.data]
    if not all(len(part.labels) for split in splits for part in split):
        raise DataError(f"{', '.join(map(str, config.data))} hold too few faces: label more photos")
    train, held_out = ([RollCrops.of(split[part]) for split in splits] for part in (0, 1))
    return _joined(train), _joined(held_out)


def _joined(parts: list[RollCrops]) -> RollCrops:
    return RollCrops(*(torch.cat([getattr(one, name) for one in parts]) for name in ("images", "roll", "weight")))


def _batches(crops: RollCrops, config: RollConfig, begun: int) -> Iterator[tuple[int, tuple[Tensor, Tensor]]]:
    for step in range(begun, config.steps):
        random = torch.Generator().manual_seed(config.seed * 2**32 + step)  # a resumed run draws the same samples
        index = torch.multinomial(crops.weight, config.batch_size, replacement=True, generator=random)
        yield step, crops.batch(index, random, degrade=True)


def _degraded(crops: Tensor, random: torch.Generator) -> Tensor:
    """Grey, contrast, colour cast, brightness, low resolution, a covered rectangle and noise; values 0 to 255."""
    count = len(crops)

    def chance(share: float) -> Tensor:
        return torch.rand(count, generator=random) < share

    def normal(channels: int) -> Tensor:
        return torch.randn(count, channels, 1, 1, generator=random)

    grey = chance(0.2)[:, None, None, None]
    crops = torch.where(grey, crops.mean(dim=1, keepdim=True), crops)
    crops = (crops - MIDDLE) * torch.exp(0.3 * normal(1)) + MIDDLE + 12 * normal(3) + 25 * normal(1)
    coarse = chance(0.3)
    if coarse.any():
        side = int(torch.randint(10, 28, (1,), generator=random))
        small = functional.interpolate(crops[coarse], (side, side), mode="area")
        crops[coarse] = functional.interpolate(small, (SIDE, SIDE), mode="bilinear", align_corners=False)
    for index in torch.nonzero(chance(0.3))[:, 0].tolist():
        x, y = torch.randint(0, 3 * SIDE // 4, (2,), generator=random).tolist()
        width, height = torch.randint(SIDE // 8, 2 * SIDE // 5, (2,), generator=random).tolist()
        crops[index, :, y : y + height, x : x + width] = 255 * torch.rand(3, 1, 1, generator=random)
    noise = 6 * torch.rand(count, 1, 1, 1, generator=random) * torch.randn(crops.shape, generator=random)
    return (crops + noise).clamp(0, 255)
