"""Batches of training crops, each a function of seed and step only, so that resumed runs use the same ones."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ddfa.data.augmentation import Augmentation
from ddfa.data.sets.dataset import CropStream, LabelledPhotos
from ddfa.errors import DataError
from ddfa.head.model import HeadModel
from ddfa.train.augment.stream import DeviceCropStream
from ddfa.train.config import TrainConfig
from ddfa.train.distributed import Ranks

_HELD_OUT_CROPS = 512
_HELD_OUT_SEED = 2  # of the validation crops, which are the same in every run
_POOL = 256  # recent batches to mix
_PARTS = 16  # batches that contribute to a mixed one
_PLAIN = Augmentation(**dict.fromkeys(Augmentation.__dataclass_fields__, 0.0))


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The validation split: crops without augmentation that are not trained on.

    Attributes:
        crops: (n, R, R, 3) uint8 RGB.
        target: (n, P) float32, de-whitened.
    """

    crops: Tensor
    target: Tensor


def open_data(config: TrainConfig, head: HeadModel) -> tuple[CropStream, HeldOut | None]:
    """Open the data sets of a run, decode the photos for the workers, and cut the validation crops.

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
    if config.augment_on == "workers":
        stream.preload()
    held_out = [(data, share) for (_, data), share in zip(parts, shares, strict=True) if len(data.labels)]
    if not held_out:
        return stream, None
    kept, odds = zip(*held_out, strict=True)
    plain = CropStream(list(kept), odds, head, resolution=config.resolution, options=_PLAIN)
    crops, target = plain.batch(_HELD_OUT_CROPS, [_HELD_OUT_SEED])
    # Validation does not weigh units.
    return stream, HeldOut(torch.from_numpy(crops), torch.from_numpy(target[:, : plain.label_size]))


def device_batches(
    stream: CropStream, config: TrainConfig, ranks: Ranks, first: int, last: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of steps `first` to `last` - 1 on the training device: new ones, or mixtures of recent ones.

    Raises:
        DataError: the batch size is not divisible by the number of processes.
    """
    times = max(1, config.reuse)
    steps = range(first // times, -(-last // times))
    if config.augment_on == "device":
        source = DeviceCropStream(stream, ranks.device, config.photo_cache)
        moved = source.batches(_crops_per_process(config, ranks), config.seed, ranks.rank, steps)
    else:
        fresh = batches(stream, config, ranks, steps)
        moved = ((crops.to(ranks.device, non_blocking=True), labels.to(ranks.device)) for crops, labels in fresh)
    if times == 1:
        return moved
    return islice(mixed(moved, times, step_seed(config.seed, first, ranks.rank)), last - first)


def mixed(fresh: Iterable[tuple[Tensor, Tensor]], times: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Several random mixtures of recent batches for each new one, for devices that are faster than data loading.

    Args:
        fresh: crops (n, R, R, 3) and labels (n, P).
        times: mixtures for each new batch; each crop is used about that often.
        seed: of the mixtures.

    Yields:
        Batches of the same size and device. Until the pool is full, crops recur sooner.
    """
    recent: deque[tuple[Tensor, Tensor]] = deque(maxlen=_POOL)
    rng = np.random.default_rng(seed)
    for batch in fresh:
        recent.append(batch)
        count = len(batch[0])
        for _ in range(times):
            # A part of each of several batches: well mixed, yet copied in a few large pieces.
            sources = [recent[int(k)] for k in rng.integers(len(recent), size=min(_PARTS, count))]
            cuts = np.linspace(0, count, len(sources) + 1).astype(int)
            rows = torch.from_numpy(rng.permutation(count)).to(batch[0].device)
            pieces = [rows[a:b] for a, b in pairwise(cuts)]
            crops, labels = (
                torch.cat([source[part][piece] for source, piece in zip(sources, pieces, strict=True)])
                for part in (0, 1)
            )
            yield crops, labels


def batches(stream: CropStream, config: TrainConfig, ranks: Ranks, steps: range) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of `steps`, prepared by worker processes: crops (n, R, R, 3) uint8 and labels (n, P) float32.

    Raises:
        DataError: the batch size is not divisible by the number of processes.
    """
    count = _crops_per_process(config, ranks)
    loader = DataLoader(
        _Steps(stream, count, config.seed, ranks.rank),
        batch_size=None,
        sampler=steps,
        num_workers=config.workers,
        prefetch_factor=8 if config.workers else None,
        multiprocessing_context="fork" if config.workers else None,  # shares the decoded photos with the workers
        pin_memory=ranks.device.type == "cuda",
    )
    return iter(loader)


def _crops_per_process(config: TrainConfig, ranks: Ranks) -> int:
    if config.batch_size % ranks.size:
        raise DataError(f"{ranks.size} processes cannot share a batch of {config.batch_size}: choose a multiple")
    return config.batch_size // ranks.size


def step_seed(seed: int, step: int, rank: int) -> int:
    """Seed of the torch generator for one step of one process."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1)[0])


class _Steps(Dataset[tuple[Tensor, Tensor]]):
    """The batches of one process, by step."""

    def __init__(self, stream: CropStream, count: int, seed: int, rank: int) -> None:
        self._stream, self._count, self._seed, self._rank = stream, count, seed, rank

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        crops, labels = self._stream.batch(self._count, [self._seed, step, self._rank])
        return torch.from_numpy(crops), torch.from_numpy(labels)
