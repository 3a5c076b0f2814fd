"""Batches of patches for the region networks, cut from the decoded photos with a new augmentation each time.

A sample of the eye network is a photo, whose two eyes are two rows; a sample of the mouth network is one row. Each row
is augmented independently.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ddfa.arrays import Bools, Float32, Float64, Floats, UInt8
from ddfa.data.pseudo_labels.mesh_points import IRIS_LEFT, IRIS_RIGHT, OBSERVED_POINTS
from ddfa.data.pseudo_labels.mesh_scores import exclusive_gaze
from ddfa.data.regions.labels import Corpus
from ddfa.data.regions.tongues import draw_tongue
from ddfa.geometry.pose import matrix_from_euler
from ddfa.regress.patches import EYE_SIDE, MOUTH_SIDE, eye_patches, mirrored, mouth_patches, sides_in_image
from ddfa.regress.regions import (
    AUXILIARY_INPUTS,
    EYE_GEOMETRY,
    EYE_UNITS,
    MOUTH_GEOMETRY,
    MOUTH_UNITS,
    auxiliary_inputs,
    eye_columns,
)
from ddfa.train.regions.augmentation import block_around, cut_patch, degrade, jitter, occlude, recolour
from ddfa.train.regions.config import Region

_LIDS: Final = (((43, 47), (44, 46)), ((37, 41), (38, 40)))  # of the left and the right eye
_IRISES: Final = (IRIS_LEFT, IRIS_RIGHT)
_LIPS: Final = ((61, 67), (62, 66), (63, 65))
_POINT = {point: number for number, point in enumerate(OBSERVED_POINTS)}
OFF_TARGET_ERROR: Final = 4.0  # target of the expected squared error for patches that do not show their region
_TONGUE_SHARE = 0.06


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs and targets of a batch.

    Attributes:
        patches: (m, side, side, 3) uint8 RGB.
        auxiliary: (m, F) float32.
        units: (m, U) float32 targets.
        geometry: (m, G) float32 targets in patch units.
        off_target: (m,) bool, rows whose patch does not show the region.
    """

    patches: UInt8
    auxiliary: Float32
    units: Float32
    geometry: Float32
    off_target: Bools


def mirrored_units(units: Sequence[str]) -> list[int]:
    """Index of the mirrored unit of each one."""
    swap = {"Left": "Right", "Right": "Left"}
    turned = [next((u.removesuffix(s) + o for s, o in swap.items() if u.endswith(s)), u) for u in units]
    return [list(units).index(unit) for unit in turned]


class PatchStream:
    """Samples batches.

    Args:
        region: which patches.
        corpora: the photos.
        names: the 52 units.
        seed: of sampling and augmentation.
        augment: whether to augment; otherwise patches are those of inference.
    """

    def __init__(
        self, region: Region, corpora: Sequence[Corpus], names: tuple[str, ...], seed: int, augment: bool = True
    ) -> None:
        self._corpora, self._augment = corpora, augment
        self._random = np.random.default_rng(seed)
        self.region = region
        self.side, self.rows = (EYE_SIDE, 2) if region == "eye" else (MOUTH_SIDE, 1)
        unit_names = EYE_UNITS if region == "eye" else MOUTH_UNITS
        self.unit_count, self.geometry_count = len(unit_names), EYE_GEOMETRY if region == "eye" else MOUTH_GEOMETRY
        self.auxiliary_count = len(unit_names) + AUXILIARY_INPUTS
        self._mirror = mirrored_units(MOUTH_UNITS)
        columns = eye_columns(names) if region == "eye" else [[names.index(unit) for unit in MOUTH_UNITS]]
        self._photos = np.concatenate(
            [np.stack([np.full(len(c.chosen), k), c.chosen], axis=1) for k, c in enumerate(corpora)]
        )
        self._affines, self._rotations = list[Float64](), list[Float64]()
        self._units, self._first = list[Float32](), list[Float32]()
        for corpus in corpora:
            labels = corpus.labels
            rotation = matrix_from_euler(labels.pose_deg)
            eyes = region == "eye"
            cut = eye_patches if eyes else mouth_patches
            patches = cut(labels.landmarks, rotation)
            scores = exclusive_gaze(names, labels.scores)
            self._affines.append(patches if eyes else patches[:, None])
            self._rotations.append(rotation)
            self._units.append(np.stack([scores[:, own] for own in columns], axis=1))
            self._first.append(np.stack([labels.coefficients[:, own] for own in columns], axis=1))
        self.targets = np.concatenate([u[c.chosen] for u, c in zip(self._units, corpora, strict=True)])
        self._weights = rarity(self._traits(), power=0.45 if region == "eye" else 0.3)

    def __len__(self) -> int:
        return len(self._photos)

    def _traits(self) -> Float32:
        """(n, T) quantities to balance: the units and their absolute differences between the sides."""
        units = self.targets
        if self.region == "eye":
            return np.concatenate([units[:, 0], units[:, 1], np.abs(units[:, 0] - units[:, 1])], axis=1)
        return np.concatenate([units[:, 0], np.abs(units[:, 0] - units[:, 0][:, self._mirror])], axis=1)

    def sample(self, count: int) -> Batch:
        """A batch of `count` photos, sampled by rarity."""
        return self.batch(self._random.choice(len(self), count, p=self._weights))

    def batch(self, samples: "Sequence[int] | np.typing.NDArray[np.intp]") -> Batch:
        """A batch of the photos with given indices (below len)."""
        rows = [self._row(int(k), int(i), eye) for k, i in self._photos[samples] for eye in range(self.rows)]
        patches, auxiliary, units, geometry, off_target = zip(*rows, strict=True)
        return Batch(
            np.stack(patches),
            np.stack(auxiliary),
            np.stack(units).astype(np.float32),
            np.stack(geometry).astype(np.float32),
            np.array(off_target, bool),
        )

    def _row(self, k: int, i: int, eye: int) -> tuple[UInt8, Float32, Float32, Float64, bool]:
        random, corpus = self._random, self._corpora[k]
        affine, rotation = self._affines[k][i, eye], self._rotations[k][i : i + 1]
        units, first = self._units[k][i, eye], self._first[k][i, eye]
        points = corpus.labels.points[i].astype(np.float64)
        mirror = self.region == "eye" and eye == 1
        if not self._augment:
            image = corpus.images[i]
            patch = cut_patch(image, affine, self.side)
            zoom = sides_in_image(affine, self.side) / self.side
            auxiliary = auxiliary_inputs(first[None], rotation, zoom[None], mirror)[0]
            return patch, auxiliary, units, self._geometry(points, affine, eye), False
        if self.region == "mouth" and random.random() < 0.5:
            mirror = True
            affine = mirrored(affine, self.side)
            units, first = units[self._mirror], first[self._mirror]
        off_target = random.random() < 0.03
        affine = jitter(affine, self.side, random, off_target)
        block, affine, points = block_around(corpus.images[i], affine, points, self.side)
        if self.region == "mouth" and random.random() < _TONGUE_SHARE:
            block, out = draw_tongue(block, points, random)
            units = units.copy()
            units[MOUTH_UNITS.index("tongueOut")] = out
        block, affine, points = degrade(block, affine, points, random)
        patch = cut_patch(block, affine, self.side)
        if random.random() < (0.6 if off_target else 0.06):
            occlude(patch, random)
        patch = recolour(patch, random)
        zoom = sides_in_image(affine, self.side) / self.side
        auxiliary = auxiliary_inputs(first[None], rotation, zoom[None], mirror)[0]
        return patch, self._vary(auxiliary, k), units, self._geometry(points, affine, eye), off_target

    def _geometry(self, points: Float64, affine: Float64, eye: int) -> Float64:
        """Pupil and eye aperture, or mouth aperture, of mesh points (P, 2) in image px."""
        in_patch = points @ affine[:, :2].T + affine[:, 2]
        if self.region == "mouth":
            return np.array([_aperture(in_patch, _LIPS) / self.side])
        pupil = (2 * in_patch[_POINT[_IRISES[eye]]] - (self.side - 1)) / self.side
        return np.append(pupil, _aperture(in_patch, _LIDS[eye]) / self.side)

    def _vary(self, auxiliary: Float32, k: int) -> Float32:
        """Auxiliary inputs that cannot simply be copied: coefficients omitted, from another photo, or with noise."""
        random, count = self._random, self.unit_count
        kind = random.random()
        if kind < 0.5:
            auxiliary[:count], auxiliary[-1] = 0, 0
        elif kind < 0.65:
            other = self._first[k][random.integers(len(self._first[k]))]
            auxiliary[:count] = np.clip(other[random.integers(len(other))], -0.5, 1.5)
        else:
            auxiliary[:count] += random.normal(0, 0.05, count)
        auxiliary[count : count + 2] += random.normal(0, 0.04, 2)
        return auxiliary


class Pool:
    """The newest augmented patches, for reuse in later steps: cutting them costs as much as a training step.

    Args:
        size: number of photos stored.
        rows: per photo.
        seed: of sampling and augmentation.
    """

    def __init__(self, size: int, rows: int, seed: int) -> None:
        self._size, self._rows = size, rows
        self._random = np.random.default_rng(seed)
        self._stored: list[Any] = []
        self._next = 0

    def completed(self, new: Batch, count: int) -> Batch:
        """A batch of `count` photos: new ones, completed from the pool; the new ones are added to the pool."""
        missing = count - len(new.patches) // self._rows
        if missing <= 0 or not self._stored:
            self._store(new)
            return new
        chosen = [self._stored[k] for k in self._random.integers(0, len(self._stored), missing)]
        self._store(new)
        columns = zip(*(vars(batch).values() for batch in (new, *chosen)), strict=True)
        return Batch(*(np.concatenate(column) for column in columns))

    def _store(self, new: Batch) -> None:
        for start in range(0, len(new.patches), self._rows):
            one = Batch(*(array[start : start + self._rows] for array in vars(new).values()))
            if len(self._stored) < self._size:
                self._stored.append(one)
            else:
                self._stored[self._next] = one
                self._next = (self._next + 1) % self._size


def rarity(traits: Floats, power: float = 0.45, max_weight: float = 8.0) -> Float64:
    """Sampling probabilities (n,), higher for photos with rare values of traits (n, T) in [0, 1].

    Args:
        traits: each is divided into six bins of equal width up to its 99.8 % quantile.
        power: 0 for uniform sampling, 1 for equally frequent bins.
        max_weight: bound of the weight of a bin relative to the fullest one.
    """
    total = np.zeros(len(traits))
    for trait in np.asarray(traits, np.float64).T:
        top = np.quantile(trait, 0.998)
        if top < 0.02:
            continue
        bins = np.minimum((6 * trait / top).astype(int), 5)
        shares = np.bincount(bins, minlength=6) / len(trait)
        total += np.minimum((shares.max() / np.maximum(shares, 1e-6)) ** power, max_weight)[bins]
    total = np.ones(len(traits)) if not total.any() else total / total.mean()
    weights = np.clip(total, 0.2, 8.0)
    return np.asarray(weights / weights.sum())


def _aperture(points: Float64, pairs: Sequence[tuple[int, int]]) -> float:
    """Mean distance between pairs of landmarks among the points `OBSERVED_POINTS` (P, 2)."""
    return float(np.mean([np.hypot(*(points[_POINT[a]] - points[_POINT[b]])) for a, b in pairs]))
