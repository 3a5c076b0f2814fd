"""The settings of `ddfa train-regions`. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from tyro.conf import arg

from ddfa.options import (
    BatchSize,
    Ema,
    Folder,
    LearningRate,
    ModelName,
    Resume,
    Reuse,
    Seed,
    TorchThreads,
    Warmup,
    WeightDecay,
)

Region: TypeAlias = Literal["eye", "mouth"]


@dataclass(frozen=True)
class RegionConfig:
    """Settings of a run.

    Attributes:
        region: which network: eye or mouth.
        data: folder of the corpora made by `ddfa data regions`.
        output: the run folder: checkpoint, log, ONNX file, calibration, bundle.
        corpora: names of the corpora in `data`; all of them by default.
        model: bundle of the first network; its copy in the run folder contains the new network.
        steps: optimiser steps.
        batch_size: photos per step; two rows per photo for the eye network.
        lr: linear warm-up, then a cosine.
        warmup: see `ddfa.options.Warmup`.
        weight_decay: of AdamW.
        ema: see `ddfa.options.Ema`.
        reuse: cutting a patch costs as much as a training step.
        asymmetry: weight of the loss on differences between left and right.
        threads: see `ddfa.options.TorchThreads`.
        seed: of the weights and of sampling.
        resume: see `ddfa.options.Resume`.
    """

    region: Region
    data: Annotated[Path, arg(metavar="DIR")]
    output: Folder
    corpora: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = ()
    model: ModelName = None
    steps: Annotated[int, arg(metavar="N")] = 12_000
    batch_size: BatchSize = 64
    lr: LearningRate = 3e-3
    warmup: Warmup = 200
    weight_decay: WeightDecay = 0.05
    ema: Ema = 300
    reuse: Reuse = 4
    asymmetry: Annotated[float, arg(metavar="WEIGHT")] = 0.5
    threads: TorchThreads = 2
    seed: Seed = 0
    resume: Resume = False
