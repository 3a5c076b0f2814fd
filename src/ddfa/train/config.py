"""The settings of a training run: one dataclass for the command line, YAML files, the run folder and the code."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ddfa.data.augmentation import Augmentation


@dataclass(frozen=True)
class LossWeights:
    """What the loss is made of; a weight of 0 leaves a term out.

    Attributes:
        pdc: squared error of whitened parameters.
        wpdc: the same, weighted by the displacement each parameter causes.
        vdc: squared vertex error in crop px².
        landmark: mean landmark distance in x and y as a share of the face's size.
        aperture: error of the openings of eyes and mouth as a share of the face's size.
        dense: mean vertex distance as a share of the face's size.
        points: mean error of the auxiliary landmark head, crop half-sides; trains features only.
    """

    pdc: float = 0.0
    wpdc: float = 1.0
    vdc: float = 0.0
    landmark: float = 0.0
    aperture: float = 0.0
    dense: float = 0.0
    points: float = 1.0


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        data: data set folders made by `ddfa data label` and `ddfa data profile`.
        output: the run folder: checkpoints, log, bundle.
        shares: how much of each batch every data set supplies; empty for equal shares.
        head: head model of the labels; None for the open head.
        arch: the network's architecture, for instance mobilenet_v1_050 or repnet_s.
        pooling: of the last feature map: its plain mean, or a learnt weight per channel and position, which starts as
            the mean and costs nothing more.
        loss: the terms of the loss.
        augment: how strongly crops vary.
        samples: crops to see in all.
        batch_size: crops per step, over all processes.
        reuse: steps that a prepared crop serves in, mixed with others each time: for a GPU that is faster than the
            processors beside it. From 2 on a resumed run sees other mixtures than one that was not stopped.
        resolution: side of the crops in px; labels always speak of 120.
        optimizer: AdamW or SGD with Nesterov momentum 0.9.
        lr: peak learning rate.
        schedule: "cosine": linear warm-up, then a cosine down to a fiftieth; "steps": as published, see `milestones`.
        warmup: steps of the linear warm-up.
        epochs: parts of equal length that the steps schedule counts in.
        slow_epochs: the first of them, at a fifth of the learning rate.
        milestones: epochs after which the learning rate falls to a fifth.
        weight_decay: of all weights but biases and norms.
        grad_clip: largest norm of the gradient; larger ones are clipped.
        ema: half-life in steps of the exponential moving average of the weights; shorter at the start of a run.
        precision: of the network's forward and backward pass; the loss is always computed in float32.
        compile: let torch compile the network.
        worst: share of the labels with the largest fit error to leave out.
        expressive: extra weight of photos with shut eyes or another strong expression; validation weighs none.
        turned_share: share of the crops drawn from photos, of any set made by `ddfa data label`, whose faces are turned
            by more than `turned_from`; the others are drawn as ever.
        turned_from: degrees of yaw.
        held_out: share of the photos kept for validation, always the same ones.
        random_points: vertices besides the 68 landmarks in WPDC, VDC and the dense term.
        init: checkpoint whose fitting tensors start the run; that of a narrower MobileNet-V1 is widened.
        resume: go on from the run folder's last checkpoint.
        workers: processes that prepare crops.
        threads: CPU threads of the network.
        device: "auto" takes CUDA when it is there.
        seed: of everything random.
        checkpoint_every: steps between checkpoints.
        validate_every: steps between validations, each with a preview.
        tensorboard: write scalars and pictures for TensorBoard.
        name: name of the bundle.
    """

    data: tuple[Path, ...]
    output: Path
    shares: tuple[float, ...] = ()
    head: Path | None = None
    arch: str = "mobilenet_v1_050"
    pooling: Literal["mean", "learnt"] = "mean"
    loss: LossWeights = field(default_factory=LossWeights)
    augment: Augmentation = field(default_factory=Augmentation)
    samples: int = 2_000_000
    batch_size: int = 128
    reuse: int = 1
    resolution: int = 120
    optimizer: Literal["adamw", "sgd"] = "adamw"
    lr: float = 2e-3
    schedule: Literal["cosine", "steps"] = "cosine"
    warmup: int = 300
    epochs: int = 50
    slow_epochs: int = 5
    milestones: tuple[int, ...] = (30, 40)
    weight_decay: float = 0.02
    grad_clip: float = 5.0
    ema: int = 500
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    compile: bool = False
    worst: float = 0.04
    expressive: float = 1.0
    turned_share: float = 0.0
    turned_from: float = 25.0
    held_out: float = 0.02
    random_points: int = 132
    init: Path | None = None
    resume: bool = False
    workers: int = 1
    threads: int = 2
    device: str = "auto"
    seed: int = 0
    checkpoint_every: int = 500
    validate_every: int = 1000
    tensorboard: bool = True
    name: str = "ddfa"

    @property
    def steps(self) -> int:
        """Optimiser steps of the run."""
        return max(1, self.samples // self.batch_size)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for `config.yaml`."""

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: plain(entry) for key, entry in value.items()}
            if isinstance(value, tuple):
                return [plain(entry) for entry in value]
            return str(value) if isinstance(value, Path) else value

        return {key: plain(value) for key, value in dataclasses.asdict(self).items()}
