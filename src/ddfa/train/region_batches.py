"""Batches of patches for the region networks, cut anew from the decoded photos each time.

A sample of the eye network is a photo, whose two eyes give two rows; one of the mouth network gives one row.  Each row
is shifted, scaled, rolled and sheared on its own; some photos are shrunk, JPEG-coded, blurred or sharpened first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import cv2
import numpy as np

from ddfa.arrays import Bools, Float32, Float64, Floats, UInt8
from ddfa.data.pseudo_labels.mesh_points import IRIS_LEFT, IRIS_RIGHT, OBSERVED_POINTS
from ddfa.data.region_labels import RegionLabels, exclusive_gaze
from ddfa.data.tongues import draw_tongue
from ddfa.geometry.pose import matrix_from_euler
from ddfa.regress.patches import EYE_SIDE, MOUTH_SIDE, eye_patches, mirrored, mouth_patches, sides_in_image
from ddfa.regress.regions import (
    EYE_PLACES,
    EYE_UNITS,
    FURTHER_INPUTS,
    MOUTH_PLACES,
    MOUTH_UNITS,
    eye_columns,
    further_inputs,
)

Region: TypeAlias = Literal["eye", "mouth"]

_LIDS: Final = (((43, 47), (44, 46)), ((37, 41), (38, 40)))  # of the left and the right eye
_IRISES: Final = (IRIS_LEFT, IRIS_RIGHT)
_LIPS: Final = ((61, 67), (62, 66), (63, 65))
_POINT = {point: number for number, point in enumerate(OBSERVED_POINTS)}
JUNK_ERROR: Final = 4.0  # what the expected squared error of a patch without its region should be
_TONGUE_SHARE = 0.06
_TONES = np.arange(256) / 255


@dataclass(frozen=True, eq=False)
class Corpus:
    """Photos and their labels.

    Attributes:
        pictures: (n, S, S, 3) uint8.
        labels: of the same n photos.
        chosen: photos that may be drawn, as numbers.
    """

    pictures: UInt8
    labels: RegionLabels
    chosen: "np.typing.NDArray[np.intp]"

    @staticmethod
    def load(folder: Path, name: str, held_out: bool) -> "Corpus":
        """The corpus `name` of a folder of `label_corpus`: the photos kept aside, or all others."""
        labels = RegionLabels.load(folder / f"{name}_labels.npz")
        pictures = np.load(folder / f"{name}_pictures.npy", mmap_mode="r")
        return Corpus(pictures, labels, np.flatnonzero(labels.trusted & (labels.held_out == held_out)))


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows of a batch.

    Attributes:
        patches: (m, side, side, 3) uint8 RGB.
        further: (m, F) float32.
        units: (m, U) float32 targets.
        places: (m, P) float32 targets in patch units.
        junk: (m,) bool, rows that do not show their region.
    """

    patches: UInt8
    further: Float32
    units: Float32
    places: Float32
    junk: Bools


def mirrored_units(units: Sequence[str]) -> list[int]:
    """Which unit each one is in a mirror."""
    swap = {"Left": "Right", "Right": "Left"}
    turned = [next((u.removesuffix(s) + o for s, o in swap.items() if u.endswith(s)), u) for u in units]
    return [list(units).index(unit) for unit in turned]


class PatchStream:
    """Draws batches.

    Args:
        region: whose patches.
        corpora: the photos.
        names: the 52 units.
        seed: of the draw.
        augment: whether to vary; else patches lie as they do in use.
    """

    def __init__(
        self, region: Region, corpora: Sequence[Corpus], names: tuple[str, ...], seed: int, augment: bool = True
    ) -> None:
        self._corpora, self._augment = corpora, augment
        self._random = np.random.default_rng(seed)
        self.region = region
        self.side, self.rows = (EYE_SIDE, 2) if region == "eye" else (MOUTH_SIDE, 1)
        unit_names = EYE_UNITS if region == "eye" else MOUTH_UNITS
        self.unit_count, self.place_count = len(unit_names), EYE_PLACES if region == "eye" else MOUTH_PLACES
        self.further_count = len(unit_names) + FURTHER_INPUTS
        self._mirror = mirrored_units(MOUTH_UNITS)
        columns = eye_columns(names) if region == "eye" else [[names.index(unit) for unit in MOUTH_UNITS]]
        self.where = np.concatenate(
            [np.stack([np.full(len(c.chosen), k), c.chosen], axis=1) for k, c in enumerate(corpora)]
        )
        self._affines, self._rotations = list[Float64](), list[Float64]()
        self._units, self._first = list[Float32](), list[Float32]()
        for corpus in corpora:
            labels = corpus.labels
            rotation = matrix_from_euler(labels.pose_deg)
            eyes = region == "eye"
            placed = eye_patches if eyes else mouth_patches
            patches = placed(labels.landmarks, rotation)
            scores = exclusive_gaze(names, labels.scores)
            self._affines.append(patches if eyes else patches[:, None])
            self._rotations.append(rotation)
            self._units.append(np.stack([scores[:, own] for own in columns], axis=1))
            self._first.append(np.stack([labels.coefficients[:, own] for own in columns], axis=1))
        self.targets = np.concatenate([u[c.chosen] for u, c in zip(self._units, corpora, strict=True)])
        self._weights = rarity(self._traits(), power=0.45 if region == "eye" else 0.3)

    def __len__(self) -> int:
        return len(self.where)

    def _traits(self) -> Float32:
        """(n, T) what should be balanced: the units, and their differences between the sides."""
        units = self.targets
        if self.region == "eye":
            return np.concatenate([units[:, 0], units[:, 1], np.abs(units[:, 0] - units[:, 1])], axis=1)
        return np.concatenate([units[:, 0], np.abs(units[:, 0] - units[:, 0][:, self._mirror])], axis=1)

    def draw(self, count: int) -> Batch:
        """A batch of `count` photos drawn by rarity."""
        return self.batch(self._random.choice(len(self), count, p=self._weights))

    def batch(self, samples: "Sequence[int] | np.typing.NDArray[np.intp]") -> Batch:
        """The rows of given photos (numbers below len)."""
        rows = [self._row(int(k), int(i), eye) for k, i in self.where[samples] for eye in range(self.rows)]
        patches, further, units, places, junk = zip(*rows, strict=True)
        return Batch(
            np.stack(patches),
            np.stack(further),
            np.stack(units).astype(np.float32),
            np.stack(places).astype(np.float32),
            np.array(junk, bool),
        )

    def _row(self, k: int, i: int, eye: int) -> tuple[UInt8, Float32, Float32, Float64, bool]:
        random, corpus = self._random, self._corpora[k]
        affine, rotation = self._affines[k][i, eye], self._rotations[k][i : i + 1]
        units, first = self._units[k][i, eye], self._first[k][i, eye]
        points = corpus.labels.points[i].astype(np.float64)
        mirror = self.region == "eye" and eye == 1
        if not self._augment:
            picture = corpus.pictures[i]
            patch = _cut(picture, affine, self.side)
            zoom = sides_in_image(affine, self.side) / self.side
            further = further_inputs(first[None], rotation, zoom[None], mirror)[0]
            return patch, further, units, self._places(points, affine, eye), False
        if self.region == "mouth" and random.random() < 0.5:
            mirror = True
            affine = mirrored(affine, self.side)
            units, first = units[self._mirror], first[self._mirror]
        junk = random.random() < 0.03
        affine = _jitter(affine, self.side, random, astray=junk)
        block, affine, points = _block(corpus.pictures[i], affine, points, self.side)
        if self.region == "mouth" and random.random() < _TONGUE_SHARE:
            block, out = draw_tongue(block, points, random)
            units = units.copy()
            units[MOUTH_UNITS.index("tongueOut")] = out
        block, affine, points = _degrade(block, affine, points, random)
        patch = _cut(block, affine, self.side)
        if random.random() < (0.6 if junk else 0.06):
            _cover(patch, random)
        patch = _recolour(patch, random)
        zoom = sides_in_image(affine, self.side) / self.side
        further = further_inputs(first[None], rotation, zoom[None], mirror)[0]
        return patch, self._vary(further, k), units, self._places(points, affine, eye), junk

    def _places(self, points: Float64, affine: Float64, eye: int) -> Float64:
        """Pupil and lid opening, or the lips' opening, of mesh points (P, 2) in the picture."""
        placed = points @ affine[:, :2].T + affine[:, 2]
        if self.region == "mouth":
            return np.array([_opening(placed, _LIPS) / self.side])
        pupil = (2 * placed[_POINT[_IRISES[eye]]] - (self.side - 1)) / self.side
        return np.append(pupil, _opening(placed, _LIDS[eye]) / self.side)

    def _vary(self, further: Float32, k: int) -> Float32:
        """Further inputs that cannot be copied: the units left out, of another photo, or with noise."""
        random, count = self._random, self.unit_count
        kind = random.random()
        if kind < 0.5:
            further[:count], further[-1] = 0, 0
        elif kind < 0.65:
            other = self._first[k][random.integers(len(self._first[k]))]
            further[:count] = np.clip(other[random.integers(len(other))], -0.5, 1.5)
        else:
            further[:count] += random.normal(0, 0.05, count)
        further[count : count + 2] += random.normal(0, 0.04, 2)
        return further


class Pool:
    """Photos drawn before, to be learnt from again: the newest of them, in any order.

    Args:
        size: photos kept.
        rows: of one photo.
        seed: of the draw.
    """

    def __init__(self, size: int, rows: int, seed: int) -> None:
        self._size, self._rows = size, rows
        self._random = np.random.default_rng(seed)
        self._kept: list[Any] = []
        self._next = 0

    def completed(self, fresh: Batch, count: int) -> Batch:
        """A batch of `count` photos: fresh ones, and others from the pool; the fresh ones join it."""
        missing = count - len(fresh.patches) // self._rows
        if missing <= 0 or not self._kept:
            self._keep(fresh)
            return fresh
        chosen = [self._kept[k] for k in self._random.integers(0, len(self._kept), missing)]
        self._keep(fresh)
        columns = zip(*(vars(batch).values() for batch in (fresh, *chosen)), strict=True)
        return Batch(*(np.concatenate(column) for column in columns))

    def _keep(self, fresh: Batch) -> None:
        for start in range(0, len(fresh.patches), self._rows):
            one = Batch(*(array[start : start + self._rows] for array in vars(fresh).values()))
            if len(self._kept) < self._size:
                self._kept.append(one)
            else:
                self._kept[self._next] = one
                self._next = (self._next + 1) % self._size


def rarity(traits: Floats, power: float = 0.45, most: float = 8.0) -> Float64:
    """Probabilities (n,) to draw samples by, higher for what is rare in traits (n, T) in [0, 1].

    Args:
        traits: each is cut into six bins of equal width up to its 99.8 % quantile.
        power: 0 draws all alike, 1 fills the bins alike.
        most: bound of a bin's weight against that of the fullest bin.
    """
    total = np.zeros(len(traits))
    for trait in np.asarray(traits, np.float64).T:
        top = np.quantile(trait, 0.998)
        if top < 0.02:
            continue
        bins = np.minimum((6 * trait / top).astype(int), 5)
        shares = np.bincount(bins, minlength=6) / len(trait)
        total += np.minimum((shares.max() / np.maximum(shares, 1e-6)) ** power, most)[bins]
    total = np.ones(len(traits)) if not total.any() else total / total.mean()
    weights = np.clip(total, 0.2, 8.0)
    return np.asarray(weights / weights.sum())


def _opening(points: Float64, pairs: Sequence[tuple[int, int]]) -> float:
    """Mean distance of pairs of landmarks, of points `OBSERVED_POINTS` (P, 2)."""
    return float(np.mean([np.hypot(*(points[_POINT[a]] - points[_POINT[b]])) for a, b in pairs]))


def _jitter(affine: Float64, side: int, random: np.random.Generator, astray: bool) -> Float64:
    """Shift, scale, roll, shear and squeeze what a patch shows; far off if it shall go astray."""
    shift = random.normal(0, 0.03, 2) * side
    if astray:
        shift = random.uniform(0.5, 1.3) * side * random.choice([-1, 1], 2)
    roll, zoom = np.deg2rad(random.normal(0, 4.0)), np.exp(random.normal(0, 0.06))
    cos, sin = np.cos(roll), np.sin(roll)
    linear = zoom * np.array([[cos, -sin], [sin, cos]])
    if random.random() < 0.3:
        linear = linear @ np.array([[random.uniform(0.8, 1.08), random.normal(0, 0.08)], [random.normal(0, 0.04), 1]])
    centre = np.full(2, (side - 1) / 2)
    return np.column_stack([linear @ affine[:, :2], linear @ (affine[:, 2] - centre) + centre + shift])


def _block(picture: UInt8, affine: Float64, points: Float64, side: int) -> tuple[UInt8, Float64, Float64]:
    """The part of a picture around a patch, with the map and the points in its px."""
    inverse = np.linalg.inv(affine[:, :2])
    corners = (np.array([[0, 0], [side, 0], [0, side], [side, side]]) - 0.5 - affine[:, 2]) @ inverse.T
    last = np.array(picture.shape[1::-1])
    low = np.clip(np.floor(corners.min(axis=0)) - 6, 0, last - 16).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 6, low + 16, last).astype(int)
    block = np.ascontiguousarray(picture[low[1] : high[1], low[0] : high[0]])
    return block, np.column_stack([affine[:, :2], affine[:, :2] @ low + affine[:, 2]]), points - low


def _degrade(
    block: UInt8, affine: Float64, points: Float64, random: np.random.Generator
) -> tuple[UInt8, Float64, Float64]:
    """Shrink, JPEG-code, blur or sharpen a block now and then; the map and the points follow."""
    if random.random() < 0.35:
        factor = float(np.exp(random.uniform(np.log(1.15), np.log(3.2))))
        height, width = block.shape[:2]
        size = max(4, round(width / factor)), max(4, round(height / factor))
        ratio = np.array(size) / [width, height]
        block = np.asarray(cv2.resize(block, size, interpolation=cv2.INTER_AREA), np.uint8)
        # Pixel centres: x' + 1/2 = (x + 1/2) * ratio.
        points = (points + 0.5) * ratio - 0.5
        linear = affine[:, :2] / ratio
        affine = np.column_stack([linear, affine[:, 2] + affine[:, :2] @ (0.5 / ratio - 0.5)])
    if random.random() < 0.25:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 90))]
        block = np.asarray(cv2.imdecode(cv2.imencode(".jpg", block, quality)[1], cv2.IMREAD_COLOR), np.uint8)
    kind = random.random()
    if kind < 0.12:
        block = np.asarray(cv2.GaussianBlur(block, (0, 0), float(random.uniform(0.4, 1.6))), np.uint8)
    elif kind < 0.32:
        soft = cv2.GaussianBlur(block, (0, 0), float(random.uniform(0.6, 1.4)))
        amount = float(random.uniform(0.5, 2.5))
        block = np.asarray(cv2.addWeighted(block, 1 + amount, soft, -amount, 0), np.uint8)
    return block, affine, points


def _cut(block: UInt8, affine: Float64, side: int) -> UInt8:
    cut: Any = cv2.warpAffine(block, affine, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8)


def _recolour(patch: UInt8, random: np.random.Generator) -> UInt8:
    """Other brightness, contrast and colours; now and then grey, now and then noisy."""
    noise = random.standard_normal(11)
    middle = float(patch[::4, ::4].mean()) / 255 + 0.06 * noise[0]
    tones = np.clip((_TONES - middle) * np.exp(0.2 * noise[1]) + middle + 0.06 * noise[2], 1e-4, 1)
    gains = np.exp(0.2 * noise[3] + 0.06 * noise[4:7])
    table = tones[:, None] ** np.exp(0.15 * noise[7]) * gains * 255
    grey, noisy, strength = random.random(3)
    if grey < 0.12:
        patch = np.asarray(cv2.cvtColor(cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
        table = np.repeat(table.mean(axis=1, keepdims=True), 3, axis=1)
    result = np.asarray(cv2.LUT(patch, np.clip(table, 0, 255).astype(np.uint8)[None]), np.uint8)
    if noisy < 0.3:
        grain = random.standard_normal(patch.shape, np.float32) * np.float32(14 * strength)
        result = np.clip(result + grain, 0, 255).astype(np.uint8)
    return result


def _cover(patch: UInt8, random: np.random.Generator) -> None:
    """Draw something over a part of a patch."""
    side = len(patch)
    centre = tuple(int(v) for v in random.integers(0, side, 2))
    axes = tuple(int(v) for v in random.integers(side // 10, side // 2, 2))
    colour = tuple(int(v) for v in random.integers(0, 256, 3))
    cv2.ellipse(patch, centre, axes, float(random.uniform(0, 180)), 0, 360, colour, -1)
