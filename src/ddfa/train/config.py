"""The settings of a training run: one dataclass for command line, YAML files, run folder and code."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from tyro.conf import arg

from ddfa.data.augmentation import Augmentation
from ddfa.errors import DataError
from ddfa.options import (
    BatchSize,
    Ema,
    Folder,
    LearningRate,
    Resume,
    Reuse,
    Samples,
    Seed,
    TorchDevice,
    TorchThreads,
    Warmup,
    WeightDecay,
    Worst,
)

_Number: TypeAlias = Annotated[int, arg(metavar="N")]
_File: TypeAlias = Annotated[Path | None, arg(metavar="FILE")]


@dataclass(frozen=True)
class LossWeights:
    """Weights of the loss terms; a weight of 0 disables a term.

    Attributes:
        pdc: squared error of whitened parameters.
        wpdc: the same, weighted by the displacement that each parameter causes.
        vdc: squared vertex error in crop px².
        landmark: mean landmark distance in x and y as a share of the face size.
        aperture: error of the eye and mouth apertures as a share of the face size.
        gaze: error in x and y of the pupils relative to the eyelids as a share of the face size.
        dense: mean vertex distance as a share of the face size.
        points: mean error of the auxiliary landmark head, half crop sides; trains the features only.
        units: squared error of expression coefficients, each relative to its own spread among the labels.
        asymmetry: the same for the differences of left and right expression coefficients.
    """

    pdc: float = 0.0
    wpdc: float = 1.0
    vdc: float = 0.0
    landmark: float = 0.0
    aperture: float = 0.0
    gaze: float = 0.0
    dense: float = 0.0
    points: float = 1.0
    units: float = 0.0
    asymmetry: float = 0.0


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        data: data set folders made by `ddfa data label` and `ddfa data profile`.
        output: the run folder: checkpoints, log, bundle.
        shares: share of each batch that each data set supplies; empty for equal shares.
        head: head model of the labels; None for the open head.
        arch: the network's architecture, for instance mobilenet_v1_050 or repnet_s.
        pooling: of the last feature map: its plain mean, or a learnt weight per channel and position, which starts as
            the mean and costs nothing more.
        loss: the terms of the loss.
        augment: strength of the data augmentation.
        samples: training crops in all.
        batch_size: crops per step, over all processes.
        reuse: number of steps that use each crop, in different mixtures: for a GPU that is faster than data loading.
            From 2 on, a resumed run uses other mixtures than an uninterrupted one.
        resolution: side of the crops in px; labels always refer to 120 px.
        optimizer: AdamW or SGD with Nesterov momentum 0.9.
        lr: peak learning rate.
        schedule: "cosine": linear warm-up, then a cosine down to a fiftieth; "steps": as in the original code, see
            `milestones`.
        warmup: see `ddfa.options.Warmup`.
        epochs: number of equal parts of the run, the unit of the steps schedule.
        slow_epochs: number of first epochs at a fifth of the learning rate.
        milestones: epochs after which the learning rate falls to a fifth.
        weight_decay: of all weights except biases and batch norm.
        grad_clip: gradient clipping: the maximum norm.
        ema: see `ddfa.options.Ema`; shorter at the start of a run.
        precision: of the network's forward and backward pass; the loss is always computed in float32.
        compile: compile the network with `torch.compile`.
        worst: see `ddfa.options.Worst`.
        expressive: extra weight of photos with shut eyes or another strong expression; not used for validation.
        turned_share: share of the crops drawn from photos with a |yaw| above `turned_from`, in any set made by
            `ddfa data label`; the others are drawn from all images.
        turned_from: degrees of yaw.
        held_out: share of the photos held out for validation, always the same ones.
        also: further networks trained on the same crops, each as ARCH:NAME or ARCH:NAME:CHECKPOINT to start from; with
            the same settings, and a run folder of its own, NAME inside the run folder.
        distill_from: name of the network whose predictions are mixed into the targets of the others; none by default.
        distill_start: share of the run that is trained on labels only.
        distill_weight: weight of the predictions in the targets; that of the labels is the rest.
        random_points: vertices besides the 68 landmarks in WPDC, VDC and the dense term.
        init: checkpoint to start from; tensors that do not fit are ignored, a narrower MobileNet-V1 is
            widened, and a larger RepNet is narrowed.
        resume: see `ddfa.options.Resume`.
        augment_on: where crops are warped and degraded: in `workers` processes, or in batches on the training device,
            which then keeps all decoded photos in its memory (4 bytes per px; 60,000 photos of 160 px: 6.1 GB).
        photo_cache: folder of a memory-mapped cache of decoded photos for `augment_on` "device"; later runs on the same
            photos start without decoding them.
        workers: processes that prepare crops.
        threads: see `ddfa.options.TorchThreads`.
        device: "auto" for CUDA where available.
        seed: of everything random.
        checkpoint_every: steps between checkpoints.
        validate_every: steps between validations, each with a preview.
        tensorboard: write scalars and images for TensorBoard.
        watch: serve a live page with curves and previews on this port of the machine, for instance 8001.
        name: name of the bundle.
    """

    data: Annotated[tuple[Path, ...], arg(metavar="DIR ...")]
    output: Folder
    shares: Annotated[tuple[float, ...], arg(metavar="SHARE ...")] = ()
    head: _File = None
    arch: Annotated[str, arg(metavar="ARCH")] = "mobilenet_v1_050"
    pooling: Literal["mean", "learnt"] = "mean"
    loss: LossWeights = field(default_factory=LossWeights)
    augment: Augmentation = field(default_factory=Augmentation)
    samples: Samples = 2_000_000
    batch_size: BatchSize = 128
    reuse: Reuse = 1
    resolution: _Number = 120
    optimizer: Literal["adamw", "sgd"] = "adamw"
    lr: LearningRate = 2e-3
    schedule: Literal["cosine", "steps"] = "cosine"
    warmup: Warmup = 300
    epochs: _Number = 50
    slow_epochs: _Number = 5
    milestones: Annotated[tuple[int, ...], arg(metavar="N ...")] = (30, 40)
    weight_decay: WeightDecay = 0.02
    grad_clip: Annotated[float, arg(metavar="NORM")] = 5.0
    ema: Ema = 500
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    compile: bool = False
    worst: Worst = 0.04
    expressive: Annotated[float, arg(metavar="WEIGHT")] = 1.0
    turned_share: Annotated[float, arg(metavar="SHARE")] = 0.0
    turned_from: Annotated[float, arg(metavar="DEG")] = 25.0
    held_out: Annotated[float, arg(metavar="SHARE")] = 0.02
    also: Annotated[tuple[str, ...], arg(metavar="ARCH:NAME[:FILE] ...")] = ()
    distill_from: Annotated[str, arg(metavar="NAME")] = ""
    distill_start: Annotated[float, arg(metavar="SHARE")] = 0.35
    distill_weight: Annotated[float, arg(metavar="WEIGHT")] = 0.5
    random_points: _Number = 132
    init: _File = None
    resume: Resume = False
    augment_on: Literal["workers", "device"] = "workers"
    photo_cache: Annotated[Path | None, arg(metavar="DIR")] = None
    workers: _Number = 1
    threads: TorchThreads = 2
    device: TorchDevice = "auto"
    seed: Seed = 0
    checkpoint_every: _Number = 500
    validate_every: _Number = 1000
    tensorboard: bool = True
    watch: Annotated[int | None, arg(metavar="PORT")] = None
    name: Annotated[str, arg(metavar="NAME")] = "ddfa"

    @property
    def steps(self) -> int:
        """Optimiser steps of the run."""
        return max(1, self.samples // self.batch_size)

    @property
    def networks(self) -> tuple["TrainConfig", ...]:
        """The settings of each network: this one and those of `also`.

        Raises:
            DataError: an entry of `also` is not ARCH:NAME, names repeat, or `distill_from` is none of them.
        """
        networks = [self]
        for entry in self.also:
            arch, _, rest = entry.partition(":")
            name, _, init = rest.partition(":")
            if not arch or not name or "/" in name:
                raise DataError(f"--also {entry} is not ARCH:NAME or ARCH:NAME:CHECKPOINT")
            single = dataclasses.replace(self, also=(), distill_from="", init=Path(init) if init else None)
            networks.append(dataclasses.replace(single, arch=arch, name=name, output=self.output / name))
        names = [network.name for network in networks]
        if len(set(names)) < len(names):
            raise DataError(f"networks trained together need different names, not {', '.join(names)}")
        if self.distill_from and self.distill_from not in names:
            raise DataError(f"--distill-from {self.distill_from} is none of the networks {', '.join(names)}")
        return tuple(networks)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for `config.yaml`."""

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: plain(entry) for key, entry in value.items()}
            if isinstance(value, tuple):
                return [plain(entry) for entry in value]
            return str(value) if isinstance(value, Path) else value

        return {key: plain(value) for key, value in dataclasses.asdict(self).items()}
