"""The settings of a training run: one dataclass for the command line, the run folder and the code."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ddfa.data.augment import Augmentation


@dataclass(frozen=True)
class LossWeights:
    """What the loss is made of; a weight of 0 leaves a term out.

    Attributes:
        pdc: squared error of whitened parameters.
        wpdc: the same, weighted by the displacement each parameter causes.
        vdc: squared vertex error in crop px².
        landmark: mean landmark distance as a share of the face's size.
        points: mean error of the auxiliary landmark head, crop half-sides; trains features only.
    """

    pdc: float = 0.0
    wpdc: float = 1.0
    vdc: float = 0.0
    landmark: float = 0.0
    points: float = 1.0


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        data: data set folders made by `ddfa data label` and `ddfa data profile`.
        output: the run folder: checkpoints, log, bundle.
        shares: how much of each batch every data set supplies; empty for equal shares.
        head: head model of the labels; None for the open head.
        width: channel multiplier of MobileNet-V1.
        loss: the terms of the loss.
        augment: how strongly crops vary.
        samples: crops to see in all.
        batch: crops per step.
        resolution: side of the crops in px; labels always speak of 120.
        optimizer: AdamW or SGD with Nesterov momentum 0.9.
        rate: peak learning rate; warm-up, then cosine down to a fiftieth.
        warmup: steps of the warm-up.
        decay: weight decay.
        average: half-life of the weight average in steps.
        worst: share of the labels with the worst quality to leave out.
        random_points: vertices besides the 68 landmarks in WPDC and VDC.
        init: checkpoint whose fitting tensors start the run.
        resume: go on from the run folder's last checkpoint.
        workers: processes that prepare crops.
        threads: CPU threads of the network.
        device: "auto" takes CUDA when it is there.
        seed: of everything random.
        checkpoint_every: steps between checkpoints.
        name: name of the bundle.
    """

    data: tuple[Path, ...]
    output: Path
    shares: tuple[float, ...] = ()
    head: Path | None = None
    width: float = 0.5
    loss: LossWeights = field(default_factory=LossWeights)
    augment: Augmentation = field(default_factory=Augmentation)
    samples: int = 2_000_000
    batch: int = 128
    resolution: int = 120
    optimizer: Literal["adamw", "sgd"] = "adamw"
    rate: float = 2e-3
    warmup: int = 300
    decay: float = 0.02
    average: int = 500
    worst: float = 0.04
    random_points: int = 132
    init: Path | None = None
    resume: bool = False
    workers: int = 1
    threads: int = 2
    device: str = "auto"
    seed: int = 0
    checkpoint_every: int = 500
    name: str = "ddfa"

    @property
    def steps(self) -> int:
        """Optimiser steps of the run."""
        return max(1, self.samples // self.batch)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for `config.json`."""

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: plain(entry) for key, entry in value.items()}
            if isinstance(value, tuple):
                return [plain(entry) for entry in value]
            return str(value) if isinstance(value, Path) else value

        return {key: plain(value) for key, value in dataclasses.asdict(self).items()}
