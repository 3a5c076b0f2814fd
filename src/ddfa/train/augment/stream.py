"""The stream of training crops, computed in batches on the training device instead of by worker processes."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from ddfa.arrays import Float32, Float64, Int64
from ddfa.data.sets.dataset import CropStream, LabelledPhotos
from ddfa.data.sets.labels import Labels
from ddfa.train.augment import filters, photometric
from ddfa.train.augment.geometry import crop_affines, labels_in_crops, mirrored_expressions, rescaled_affines
from ddfa.train.augment.jpeg import jpeg
from ddfa.train.augment.occlusion import occlude
from ddfa.train.augment.parameters import CropParameters, draw_parameters
from ddfa.train.augment.photos import load_photos
from ddfa.train.augment.reference import reference_crop
from ddfa.train.augment.tensors import apply_where, on_device
from ddfa.train.augment.warp import warp

_CPU_CHUNK: Final = 16  # crops at once: their intermediate results stay in the cache of a core


class DeviceCropStream:
    """Random training crops with their labels, distributed as those of a `CropStream`.

    Args:
        stream: the data sets, their shares and the strength of the augmentation.
        device: receives all decoded photos.
        cache: folder of a memory-mapped cache of the decoded photos; None for none.
        opencv: compute the crops one by one with OpenCV, from the same parameters. None for whichever is faster: OpenCV
            on a CPU, where the batched operations take two to three times as long.

    Raises:
        DataError: a photo cannot be decoded.
        OutputError: the cache cannot be written.
    """

    def __init__(
        self, stream: CropStream, device: torch.device, cache: Path | None = None, opencv: bool | None = None
    ) -> None:
        self.stream, self.device = stream, device
        self.opencv = device.type == "cpu" if opencv is None else opencv
        self.side = stream.resolution or stream.size
        sets = stream.sets
        readers = [partial(data.photos.read, name) for data in sets for name in data.labels.names]
        names = [name for data in sets for name in _cache_names(data)] if cache else []
        self.photos = load_photos(readers, names, cache).to(device)
        counts = [len(data.labels) for data in sets]
        self._first = np.cumsum([0, *counts[:-1]])
        self._landmarks = np.concatenate([data.landmarks[..., :2] for data in sets])
        self._pose = np.concatenate([data.labels.pose for data in sets])
        self._identity = np.concatenate([data.labels.identity for data in sets])
        self._expression = np.concatenate([data.labels.expression for data in sets])
        self._visibility = np.concatenate([_visibility(data.labels) for data in sets]) if stream.weighted else None

    def batches(self, count: int, seed: int, rank: int, steps: range) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of `steps`, each a function of seed, step and rank only; see `batch`."""
        return (self.batch(count, [seed, step, rank]) for step in steps)

    @torch.no_grad()
    def batch(self, count: int, seed: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Crops (count, R, R, 3) uint8 RGB and their parameters (count, P) float32, on the device.

        As in `CropStream.batch`, weights of the expression units follow the parameters if a data set has visibilities.

        Args:
            count: number of crops.
            seed: the same seed always results in the same batch on the same kind of device.
        """
        rng = np.random.default_rng(seed)
        generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))
        parameters = draw_parameters(count, self.side, self.stream.options, rng)
        number, affine, labels = self._geometry(parameters, rng)
        chunk = count if self.device.type == "cuda" else _CPU_CHUNK
        crops = [
            self._crops(number[k : k + chunk], affine[k : k + chunk], parameters.part(k, k + chunk), generator)
            for k in range(0, count, chunk)
        ]
        return torch.cat(crops), on_device(labels, self.device)

    def _geometry(self, p: CropParameters, rng: np.random.Generator) -> tuple[Int64, Float64, Float32]:
        """Photos (n,), maps (n, 2, 3) to the crops themselves and labels (n, P) in the frame of labels."""
        stream = self.stream
        sets, index = stream.draw_photos(len(p), rng)
        number = self._first[sets] + index
        affine = crop_affines(self._landmarks[number], stream.size, p.roll, p.mirrored, p.shift, p.log_scale)
        shape = self._pose[number], self._identity[number], self._expression[number]
        labels = labels_in_crops(*shape, affine, p.mirrored, stream.size, stream.head)
        if self._visibility is not None:
            weights = mirrored_expressions(self._visibility[number], p.mirrored, stream.head)
            labels = np.concatenate([labels, weights], axis=1)
        return number, rescaled_affines(affine, self.side / stream.size), labels

    def _crops(self, number: Int64, affine: Float64, p: CropParameters, generator: torch.Generator) -> Tensor:
        """Crops (n, R, R, 3) uint8."""
        if self.opencv:
            return self._reference_crops(number, affine, p, generator)
        crops = warp(self.photos, number, affine, self.side, p.reflected, p.border)
        degrade(crops, p, generator)
        return crops.to(torch.uint8).permute(0, 2, 3, 1).contiguous()

    def _reference_crops(self, number: Int64, affine: Float64, p: CropParameters, generator: torch.Generator) -> Tensor:
        shape = (self.side, self.side, 3)
        none = np.zeros(shape, np.float32)
        crops = np.empty((len(number), *shape), np.uint8)
        for k, photo in enumerate(number):
            noise = torch.randn(shape, generator=generator).numpy() if p.noise[k] else none
            crops[k] = reference_crop(self.photos.image(int(photo)), affine[k], self.side, p, k, noise)
        return torch.from_numpy(crops)


def _cache_names(data: LabelledPhotos) -> list[str]:
    """Names of photos that change when the files do, so that a cache of a data set made again is not reused."""
    path = data.photos.path.resolve()

    def version(file: Path) -> str:
        try:
            status = file.stat()
        except OSError:  # reading it reports the error
            return str(file)
        return f"{file}:{status.st_size}:{status.st_mtime_ns}"

    if path.is_dir():
        return [version(path / name) for name in data.labels.names]
    archive = version(path)
    return [f"{archive}:{name}" for name in data.labels.names]


def _visibility(labels: Labels) -> Float32:
    return np.ones_like(labels.expression) if labels.visibility is None else labels.visibility


def degrade(crops: Tensor, p: CropParameters, generator: torch.Generator) -> None:
    """Apply the degradations of the parameters, in the order of `ddfa.data.augmentation.degrade`.

    Args:
        crops: (n, 3, R, R) float32, whole numbers in 0..255, changed in place.
        p: the parameters of the n crops.
        generator: of the noise, on the device of the crops.
    """

    def noisy(some: Tensor, sigma: Tensor) -> Tensor:
        noise = torch.randn(some.shape, generator=generator, device=some.device)
        return photometric.add_noise(some, noise.mul_(sigma.view(-1, 1, 1, 1)))

    occlude(crops, p)
    apply_where(crops, p.recolour, photometric.recolour, p.gain, p.gamma, p.brightness)
    apply_where(crops, p.grey, photometric.to_grey)
    apply_where(crops, p.shade, photometric.shade, p.shade_angle, p.shade_reach, p.shade_origin, p.shade_depth)
    apply_where(crops, p.gaussian, filters.sharpen, p.sigma, p.amount)
    _motion(crops, p)
    apply_where(crops, p.shrink, filters.shrink, p.side)
    apply_where(crops, p.noise, noisy, p.noise_sigma)
    apply_where(crops, p.jpeg, jpeg, p.quality)


def _motion(crops: Tensor, p: CropParameters) -> None:
    moving = np.flatnonzero(p.motion)
    if not len(moving):
        return
    steps, weights = filters.motion_taps(p.motion_length[moving], p.motion_angle[moving])
    all_steps, all_weights = np.zeros((len(p), *steps.shape[1:]), np.int64), np.zeros((len(p), weights.shape[1]))
    all_steps[moving], all_weights[moving] = steps, weights
    apply_where(crops, p.motion, filters.motion_blur, all_steps, all_weights)
