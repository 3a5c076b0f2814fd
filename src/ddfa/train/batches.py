"""Data sets as batches: a batch is a function of the seed and the step, so that a resumed run sees the same ones."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ddfa.data.augment import Augmentation
from ddfa.data.dataset import CropStream, LabelledPhotos
from ddfa.errors import DataError
from ddfa.head.model import HeadModel
from ddfa.train.config import TrainConfig
from ddfa.train.distributed import Ranks

_HELD_OUT_CROPS = 512
_HELD_OUT_SEED = 2  # of the crops that validate: the same in every run, whatever its seed
_PLAIN = Augmentation(**dict.fromkeys(Augmentation.__dataclass_fields__, 0.0))


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Plain crops that no run trains on.

    Attributes:
        crops: (n, R, R, 3) uint8 RGB.
        target: (n, P) float32, de-whitened.
    """

    crops: Tensor
    target: Tensor


def open_data(config: TrainConfig, head: HeadModel) -> tuple[CropStream, HeldOut | None]:
    """Open the data sets of a run; decode the photos to train on into memory, and cut the crops kept aside.

    Raises:
        DataError: a data set cannot be used.
    """
    parts = [LabelledPhotos.open(folder, head, config.worst).split(config.held_out) for folder in config.data]
    shares = config.shares or (1.0,) * len(parts)
    sets = [own for own, _ in parts]
    stream = CropStream(
        sets,
        shares,
        head,
        resolution=config.resolution,
        options=config.augment,
        expressive=config.expressive,
        turned_share=config.turned_share,
        turned_from=config.turned_from,
    )
    stream.preload()
    aside = [(data, share) for (_, data), share in zip(parts, shares, strict=True) if len(data.labels)]
    if not aside:
        return stream, None
    kept, odds = zip(*aside, strict=True)
    plain = CropStream(list(kept), odds, head, resolution=config.resolution, options=_PLAIN)
    crops, target = plain.batch(_HELD_OUT_CROPS, [_HELD_OUT_SEED])
    return stream, HeldOut(torch.from_numpy(crops), torch.from_numpy(target))


def batches(stream: CropStream, config: TrainConfig, ranks: Ranks, steps: range) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of `steps`, prepared by worker processes: crops (n, R, R, 3) uint8 and labels (n, P) float32.

    Raises:
        DataError: the batch cannot be shared out among the processes of the run.
    """
    if config.batch % ranks.size:
        raise DataError(f"{ranks.size} processes cannot share a batch of {config.batch}: choose a multiple")
    loader = DataLoader(
        _Steps(stream, config.batch // ranks.size, config.seed, ranks.rank),
        batch_size=None,
        sampler=steps,
        num_workers=config.workers,
        prefetch_factor=8 if config.workers else None,
        multiprocessing_context="fork" if config.workers else None,  # workers share the decoded photos
        pin_memory=ranks.device.type == "cuda",
    )
    return iter(loader)


def step_seed(seed: int, step: int, rank: int) -> int:
    """The seed of all that torch draws in one step of one process."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1)[0])


class _Steps(Dataset[tuple[Tensor, Tensor]]):
    """The batch of each step of one process."""

    def __init__(self, stream: CropStream, count: int, seed: int, rank: int) -> None:
        self._stream, self._count, self._seed, self._rank = stream, count, seed, rank

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        crops, labels = self._stream.batch(self._count, [self._seed, step, self._rank])
        return torch.from_numpy(crops), torch.from_numpy(labels)
