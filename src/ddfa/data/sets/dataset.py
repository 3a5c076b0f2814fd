"""Labelled photos, and the stream of random, degraded crops that a training run reads."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Float32, Float64, Floats, Int64, UInt8
from ddfa.data.augmentation import Augmentation, degrade, random_crop_affine, warp
from ddfa.data.sets.labels import Labels, image_euler, label_in_crop
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError
from ddfa.head.model import HeadModel

LABEL_FILE = "labels.npz"
PHOTO_FILE = "photos.tar"
PHOTO_LINK = "photos.txt"
# Expressions that matter and are rare among photos: the coefficient that about one photo in twenty exceeds.
_STRONG = {"eyeBlink": 0.5, "eyeWide": 0.12, "jawOpen": 0.3, "mouthPucker": 0.12, "mouthFunnel": 0.15}


@dataclass(eq=False)
class LabelledPhotos:
    """One data set: photos and the heads fitted to them.

    Attributes:
        photos: the images.
        labels: a label for each image used.
        landmarks: (n, 68, 3) float32 image px, from which the RoI is computed.
        yaw_deg: (n,) float64.
    """

    photos: Photos
    labels: Labels
    landmarks: Float32
    yaw_deg: Float64

    @staticmethod
    def open(folder: Path, head: HeadModel, worst: float = 0.0) -> "LabelledPhotos":
        """Open what `ddfa data label` or `ddfa data profile` wrote.

        Args:
            folder: contains `labels.npz` and either `photos.tar` or `photos.txt`, one line: the path of the photos.
            head: the head model of the labels.
            worst: share of the labels with the largest fit error to leave out.

        Raises:
            DataError: a file is missing or damaged, or the labels belong to another head model.
        """
        labels = Labels.load(folder / LABEL_FILE)
        if labels.head != head.name:
            raise DataError(f"{folder} is labelled with head '{labels.head}', not '{head.name}': label it again")
        if worst > 0:
            labels = labels.select(labels.fit_error <= np.quantile(labels.fit_error, 1 - worst))
        yaw = image_euler(labels.pose)[:, 0]
        return LabelledPhotos(Photos(photo_path(folder)), labels, labels.landmarks(head), yaw)

    def select(self, index: NDArray[Any]) -> "LabelledPhotos":
        """The labels at `index` (integers or booleans) with their photos."""
        return LabelledPhotos(self.photos, self.labels.select(index), self.landmarks[index], self.yaw_deg[index])

    def split(self, share: float) -> tuple["LabelledPhotos", "LabelledPhotos"]:
        """Training and validation split; about `share` of the photos are held out, with all images made from them."""
        held_out = held_out_indices(self.labels.sources or self.labels.names, share)
        return self.select(~held_out), self.select(held_out)


def held_out_indices(names: Sequence[str], share: float) -> NDArray[np.bool_]:
    """Which photos (n,) are held out for validation.

    Decided by a hash of the name, so that a photo stays in its split when others are added or removed.
    """
    digests = [hashlib.blake2b(name.encode(), digest_size=4).digest() for name in names]
    return np.array([int.from_bytes(digest) < share * 2**32 for digest in digests], np.bool_)


def expressiveness(expression: Floats, names: Sequence[str]) -> Float64:
    """How far faces are from the relaxed expression with open eyes of most photos.

    Args:
        expression: (n, E) coefficients.
        names: of the E expressions; those that are not ARKit blendshapes are ignored.

    Returns:
        (n,) in 0..1, 1 where eyes are shut or wide, one eye is shut, or the mouth is wide open or pursed.
    """
    result = np.zeros(len(expression))
    for values, name in zip(np.asarray(expression, np.float64).T, names, strict=True):
        strong = _STRONG.get(name.removesuffix("Left").removesuffix("Right"))
        if strong is not None:
            result = np.maximum(result, np.clip(values / strong, 0, 1) ** 3)  # cubed: moderate values are common
    return result


def photo_path(folder: Path) -> Path:
    """Path of the photos of a data set: its own tar, or the path in its `photos.txt`.

    Raises:
        DataError: it has neither.
    """
    if (folder / PHOTO_FILE).is_file():
        return folder / PHOTO_FILE
    try:
        path = Path((folder / PHOTO_LINK).read_text(encoding="utf-8").strip())
    except OSError as error:
        raise DataError(f"{folder} is no data set: it has neither {PHOTO_FILE} nor {PHOTO_LINK}") from error
    return path if path.is_absolute() else folder / path


@dataclass(eq=False)
class CropStream:
    """A source of random training crops with their labels.

    Attributes:
        sets: the data sets.
        shares: (len(sets),) share of the stream that each set supplies.
        head: the head model of the labels.
        size: side S in px of the crop frame of the labels.
        resolution: side in px of the crops themselves; smaller ones train faster. None means `size`.
        options: strength of the augmentation.
        turned: extra weight of a photo per 45° of yaw, as large poses are rare among photos.
        expressive: extra weight of a photo with shut eyes or another strong expression, which are rare as well.
        turned_share: share of the crops drawn, with equal weights, from the photos of all sets with a |yaw| above
            `turned_from`; generated images are not among them.
        turned_from: degrees of yaw.
        memory: images already decoded, by set and index.
        weighted: whether a data set has visibilities, so that batches have weights of the expression units.
    """

    sets: list[LabelledPhotos]
    shares: tuple[float, ...]
    head: HeadModel
    size: int = 120
    resolution: int | None = None
    options: Augmentation = field(default_factory=Augmentation)
    turned: float = 2.0
    expressive: float = 0.0
    turned_share: float = 0.0
    turned_from: float = 25.0
    memory: dict[tuple[int, int], UInt8] = field(default_factory=dict)
    weighted: bool = field(init=False)

    def __post_init__(self) -> None:
        if len(self.sets) != len(self.shares):
            raise DataError(f"{len(self.sets)} data sets need as many shares, not {len(self.shares)}")
        for data in self.sets:
            if not len(data.labels):
                raise DataError(
                    f"no photo of {data.photos.path} is left to train on, all are held out for validation: label "
                    "more photos, or lower --held-out"
                )
        self.weighted = any(data.labels.visibility is not None for data in self.sets)
        self._odds = np.cumsum(self.shares) / np.sum(self.shares)
        weights = [self._weights(data) for data in self.sets]
        self._draw = [np.cumsum(w) / np.sum(w) for w in weights]
        self._far = [
            (number, int(index))
            for number, data in enumerate(self.sets)
            if not data.labels.sources  # photos, not images generated from them
            for index in np.flatnonzero(np.abs(data.yaw_deg) > self.turned_from)
        ]
        if self.turned_share > 0 and not self._far:
            raise DataError(f"no photo shows a face with a yaw above {self.turned_from:g} degrees: lower --turned-from")

    def _weights(self, data: LabelledPhotos) -> Float64:
        """How often each photo (n,) is drawn, relative to a frontal, relaxed face."""
        strong = expressiveness(data.labels.expression, self.head.expression_names)
        weights: Float64 = 1 + self.turned * np.abs(data.yaw_deg) / 45 + self.expressive * strong
        return weights

    def preload(self) -> None:
        """Decode every image into memory, which forked workers share."""
        keys = [(number, index) for number, data in enumerate(self.sets) for index in range(len(data.labels))]
        with ThreadPoolExecutor() as pool:
            self.memory.update(zip(keys, pool.map(self._read, keys), strict=True))

    def _read(self, key: tuple[int, int]) -> UInt8:
        data = self.sets[key[0]]
        return data.photos.read(data.labels.names[key[1]])

    @property
    def label_size(self) -> int:
        """P, the number of parameters of a label."""
        labels = self.sets[0].labels
        return int(12 + labels.identity.shape[1] + labels.expression.shape[1])

    def label(self, number: int, index: int, affine: Floats, mirrored: bool) -> Float32:
        """The (P,) ground-truth parameters of crop `affine` of a photo."""
        labels = self.sets[number].labels
        parts = (labels.pose[index], labels.identity[index], labels.expression[index])
        return label_in_crop(*parts, affine, mirrored, self.size, self.head)

    def weights(self, number: int, index: int, mirrored: bool) -> Float32:
        """The (E,) weights of the expression units in a crop of a photo, see `Labels.visibility`."""
        visibility = self.sets[number].labels.visibility
        if visibility is None:
            return np.ones(self.sets[number].labels.expression.shape[1], np.float32)
        mirror = self.head.expression_mirror
        own = visibility[index]
        return np.asarray(own if not mirrored or mirror is None else own[mirror], np.float32)

    def draw(self, rng: np.random.Generator) -> tuple[int, int, Float64, bool]:
        """A random photo and a random crop of it: set, index, (2, 3) affine, mirrored."""
        number, index = self._photo(rng)
        landmarks = self.sets[number].landmarks[index]
        affine, mirrored = random_crop_affine(landmarks, self.size, self.options, rng)
        return number, index, affine, mirrored

    def _photo(self, rng: np.random.Generator) -> tuple[int, int]:
        """A random photo: set and index."""
        # No random number is drawn for a share of 0: runs of earlier versions stay reproducible bit for bit.
        if self.turned_share > 0 and rng.random() < self.turned_share:
            return self._far[rng.integers(len(self._far))]
        number = min(int(np.searchsorted(self._odds, rng.random())), len(self.sets) - 1)
        odds = self._draw[number]
        return number, min(int(np.searchsorted(odds, rng.random())), len(odds) - 1)

    def draw_photos(self, count: int, rng: np.random.Generator) -> tuple[Int64, Int64]:
        """Many random photos at once, distributed as those of `draw`: their sets (count,) and indices (count,)."""
        number = np.minimum(np.searchsorted(self._odds, rng.random(count)), len(self.sets) - 1)
        uniform = rng.random(count)
        index = np.empty(count, np.int64)
        for k, odds in enumerate(self._draw):
            own = number == k
            index[own] = np.minimum(np.searchsorted(odds, uniform[own]), len(odds) - 1)
        if self.turned_share > 0:
            turned = rng.random(count) < self.turned_share
            chosen = np.array(self._far)[rng.integers(len(self._far), size=int(turned.sum()))]
            number[turned], index[turned] = chosen[:, 0], chosen[:, 1]
        return number.astype(np.int64), index

    def sample_labels(self, count: int, seed: int) -> Float32:
        """Parameters (count, P) distributed as in training, to measure their whitening; no image is read."""
        rng = np.random.default_rng(seed)
        return np.stack([self.label(*self.draw(rng)) for _ in range(count)])

    def batch(self, count: int, seed: Sequence[int]) -> tuple[UInt8, Float32]:
        """Crops (count, R, R, 3) uint8 RGB and their parameters (count, P) float32.

        If a data set has visibilities, the weights (count, E) of the expression units follow the parameters as further
        columns: (count, P + E).

        Args:
            count: number of crops.
            seed: the same seed always results in the same batch.
        """
        cv2.setNumThreads(0)  # each worker is one of several processes
        rng = np.random.default_rng(seed)
        samples = [self._sample(rng) for _ in range(count)]
        return np.stack([crop for crop, _ in samples]), np.stack([label for _, label in samples])

    def _sample(self, rng: np.random.Generator) -> tuple[UInt8, Float32]:
        number, index, affine, mirrored = self.draw(rng)
        photo = self.memory.get((number, index))
        if photo is None:
            photo = self._read((number, index))
        side = self.resolution or self.size
        crop = warp(photo, rescaled(affine, side / self.size), side, rng)
        label = self.label(number, index, affine, mirrored)
        if self.weighted:
            label = np.concatenate([label, self.weights(number, index, mirrored)])
        return degrade(crop, self.options, rng), label


def rescaled(affine: Floats, factor: float) -> Float64:
    """The map (2, 3) to crops of another resolution: x' + 0.5 = factor (x + 0.5), as pixel centres are integers."""
    result = factor * np.asarray(affine, np.float64)
    result[:, 2] += (factor - 1) / 2
    return result
