"""The settings of `ddfa train-quality`. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from ddfa.options import BatchSize, Folder, LearningRate, ModelName, Samples, Seed, TorchThreads, WeightDecay, Workers


@dataclass(frozen=True)
class QualityConfig:
    """Settings of a run.

    Attributes:
        data: data set folders made by `ddfa data label`, `ddfa data profile` or `ddfa data render`, used equally often.
        output: the run folder: features, log, head, bundle; an interrupted run is resumed.
        model: bundle whose copy receives the head; without test-time flip or ensemble.
        samples: crops to extract features of.
        epochs: passes over the features.
        batch_size: crops per step.
        lr: a short warm-up, then a cosine.
        weight_decay: of AdamW.
        held_out: share of the photos to calibrate and measure on.
        annotated: photos with human landmarks, as for `ddfa bench landmarks`. The deviations are scaled so that they
            fit the errors of eyes and mouth there, where annotations agree best on the positions of landmarks; by
            default they refer to the labels of `data`, which have errors of their own.
        workers: see `ddfa.options.Workers`.
        threads: see `ddfa.options.TorchThreads`.
        seed: of the weights and of sampling.
    """

    data: Annotated[tuple[Path, ...], arg(metavar="DIR ...")]
    output: Folder
    model: ModelName = None
    samples: Samples = 120_000
    epochs: Annotated[int, arg(metavar="N")] = 12
    batch_size: BatchSize = 256
    lr: LearningRate = 2e-3
    weight_decay: WeightDecay = 0.05
    held_out: Annotated[float, arg(metavar="SHARE")] = 0.1
    annotated: Annotated[Path | None, arg(metavar="DIR|FILE")] = None
    workers: Workers = 0
    threads: TorchThreads = 2
    seed: Seed = 0
