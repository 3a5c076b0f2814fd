"""The settings of the runs that train small networks: occlusion, roll and proposals. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from ddfa.options import BatchSize, Folder, LearningRate, Resume, Samples, Seed, TorchDevice, TorchThreads, Worst


@dataclass(frozen=True, kw_only=True)
class SmallRunConfig:
    """What these runs have in common."""

    samples: Samples
    batch_size: BatchSize
    lr: LearningRate
    resume: Resume = False
    threads: TorchThreads = 2
    device: TorchDevice = "cpu"
    seed: Seed = 0

    @property
    def steps(self) -> int:
        """Optimiser steps of the run."""
        return max(1, self.samples // self.batch_size)


@dataclass(frozen=True, kw_only=True)
class OcclusionConfig(SmallRunConfig):
    """How the network is trained.

    Attributes:
        data: data sets of `ddfa data label`, photos with the heads fitted to them.
        output: run folder; receives config.yaml, log.csv, checkpoint.pt and occlusion.onnx.
        faces: maximum number of faces to use.
        hands: synthetic hands to render.
        worst: see `ddfa.options.Worst`.
        workers: processes that prepare samples.
    """

    data: Annotated[tuple[Path, ...], arg(metavar="DIR ...")]
    output: Folder
    faces: Annotated[int, arg(metavar="N")] = 8000
    hands: Annotated[int, arg(metavar="N")] = 4000
    samples: Samples = 300_000
    batch_size: BatchSize = 32
    lr: LearningRate = 3e-3
    worst: Worst = 0.04
    workers: Annotated[int, arg(metavar="N")] = 1


@dataclass(frozen=True, kw_only=True)
class RollConfig(SmallRunConfig):
    """How the network is trained.

    Attributes:
        data: data sets of `ddfa data label`, photos with the heads fitted to them.
        output: run folder; receives config.yaml, log.csv, checkpoint.pt and roll.onnx.
    """

    data: Annotated[tuple[Path, ...], arg(metavar="DIR ...")]
    output: Folder
    samples: Samples = 1_000_000
    batch_size: BatchSize = 192
    lr: LearningRate = 4e-3


@dataclass(frozen=True, kw_only=True)
class ProposalConfig(SmallRunConfig):
    """How the network is trained.

    Attributes:
        photos: folders or tars of photos of one face each, the face centred.
        output: run folder; receives config.yaml, log.csv, checkpoint.pt and proposals.onnx.
        scenes: folders or tars of photos without faces.
        faces: maximum number of faces to use.
        sheets: sheets to draw and label, which are kept in memory.
        held_out: sheets of other photos, on which the threshold is chosen.
    """

    photos: Annotated[tuple[Path, ...], arg(metavar="DIR|TAR ...")]
    output: Folder
    scenes: Annotated[tuple[Path, ...], arg(metavar="DIR|TAR ...")] = ()
    faces: Annotated[int, arg(metavar="N")] = 8000
    sheets: Annotated[int, arg(metavar="N")] = 5500
    held_out: Annotated[int, arg(metavar="N")] = 400
    samples: Samples = 84_000
    batch_size: BatchSize = 12
    lr: LearningRate = 6e-3
    threads: TorchThreads = 1
