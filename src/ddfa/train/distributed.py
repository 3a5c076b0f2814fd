"""Distributed runs: the processes that `torchrun` starts, each with its own device and share of the batch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True)
class Ranks:
    """This process and the number of processes of the run.

    Attributes:
        rank: number of this process; only process 0 writes files.
        size: number of processes.
        device: where this process trains.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0


@contextmanager
def join_ranks(device: str) -> Iterator[Ranks]:
    """Join the other processes of the run, if there are any.

    Args:
        device: "auto" for CUDA where available, else the CPU; each of several processes uses the GPU of its number.
    """
    kind = device if device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Ranks(0, 1, torch.device(kind))
        return
    own = torch.device(kind, int(os.environ["LOCAL_RANK"])) if kind == "cuda" else torch.device(kind)
    if own.type == "cuda":
        torch.cuda.set_device(own)
    distributed.init_process_group("nccl" if own.type == "cuda" else "gloo")
    try:
        yield Ranks(distributed.get_rank(), size, own)
    finally:
        distributed.destroy_process_group()
