"""Crops whose landmarks and occluded landmarks are known.

They are cut from labelled photos, with synthetic occluders, poor boxes and degradations; some show no face.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Float32, Float64, UInt8
from ddfa.data.augmentation import Augmentation, crop_affine, degrade, random_crop_affine, warp
from ddfa.data.occlusion_set import place_hand
from ddfa.data.quality.occluders import fringe, sunglasses, surgical_mask
from ddfa.data.registration.landmark_placement import MIRRORED
from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.data.synthetic.backdrops import random_backdrop
from ddfa.data.synthetic.objects.occluders import Occluder, composite, object_occluder
from ddfa.files import atomic_path, make_folder
from ddfa.geometry.camera import project
from ddfa.head.model import HeadModel
from ddfa.jobs import run_missing
from ddfa.occlusion.face_region import FaceSurface
from ddfa.occlusion.network import predict_occlusion
from ddfa.occlusion.roi_canvas import RoiCanvas
from ddfa.occlusion.skin_colour import ColourBasis
from ddfa.raster.sampling import sample
from ddfa.raster.visibility import hidden_landmarks
from ddfa.replace.target import TargetFace

_CHUNK: Final = 64  # photos per task
_CANVAS: Final = 192  # px, side of the region in which the occlusion of a photo is computed
_CLEAR, _OCCLUDED = 0.25, 0.6  # opacity of what is in front of a visible and of an occluded landmark
_KINDS: Final = {"sunglasses": 0.2, "mask": 0.2, "fringe": 0.15, "hand": 0.25, "object": 0.08, "patch": 0.12}
_ROUGH: Final = Augmentation(
    roll_deg=14, wide_box=0.4, colour=0.5, blur=0.25, shrink=0.3, noise=0.15, jpeg=0.3, occlude=0.0
)


class KnownFaces(NamedTuple):
    """The faces of a data set.

    Attributes:
        landmarks: (n, 68, 2) float32 image px.
        hidden: (n, 68) float32, 1 for landmarks that the head itself or something in the photo hides, 0 for visible
            ones, NaN where this is not known.
    """

    landmarks: Float32
    hidden: Float32


class QualitySample(NamedTuple):
    """A crop and what is known about it.

    Attributes:
        crop: (S, S, 3) uint8 RGB.
        landmarks: (68, 2) float32 crop px; NaN in a crop that shows no face.
        occluded: (68,) float32, 1 for hidden landmarks, 0 for visible ones, NaN where this is not known.
    """

    crop: UInt8
    landmarks: Float32
    occluded: Float32


def known_faces(data: LabelledPhotos, head: HeadModel, folder: Path, workers: int = 0) -> KnownFaces:
    """Find out which landmarks of labelled photos are hidden.

    The head hides what is behind its visible surface; objects in the photo are found by the occlusion network and the
    colour of the skin, as for `ddfa replace`.

    Args:
        data: the photos.
        head: the open head.
        folder: receives intermediate results, so that an interrupted job is resumed.
        workers: processes; 0 means one per core.

    Raises:
        OutputError: the folder cannot be written.
    """
    make_folder(folder)
    chunks = [range(start, min(start + _CHUNK, len(data.labels))) for start in range(0, len(data.labels), _CHUNK)]
    parts = [folder / f"{chunk.start:06d}.npy" for chunk in chunks]
    tasks = list(zip(chunks, parts, strict=True))
    # Spawned, because inference sessions do not survive a fork.
    run_missing(partial(_open_inspector, data, head), parts, tasks, workers, "inspect faces", "spawn")
    hidden = np.concatenate([np.load(part) for part in parts])
    return KnownFaces(np.asarray(data.landmarks[..., :2], np.float32), hidden)


def _open_inspector(data: LabelledPhotos, head: HeadModel) -> Callable[[tuple[Sequence[int], Path]], None]:
    surface = FaceSurface(head)
    colour_basis = ColourBasis(surface)
    cv2.setNumThreads(1)

    def inspect(task: tuple[Sequence[int], Path]) -> None:
        indices, part = task
        hidden = np.stack([_hidden(data, head, surface, colour_basis, index) for index in indices])
        with atomic_path(part) as temporary:
            np.save(temporary, hidden)

    return inspect


def _hidden(
    data: LabelledPhotos, head: HeadModel, surface: FaceSurface, colour_basis: ColourBasis, index: int
) -> Float32:
    """Which landmarks (68,) of a photo are hidden, see `KnownFaces`."""
    labels, rows = data.labels, slice(index, index + 1)
    identity, expression, pose = labels.identity[rows], labels.expression[rows], labels.pose[index]
    landmarks = np.asarray(data.landmarks[index], np.float32)
    vertices = np.asarray(project(head.decode(identity, expression)[0], pose), np.float32)
    hidden = hidden_landmarks(landmarks, vertices, head).astype(np.float32)
    shape = np.asarray(project(surface.points.decode(identity, expression)[0], pose), np.float32)
    canvas = RoiCanvas.around(shape, _CANVAS)
    photo = data.photos.read(labels.names[index])
    target = TargetFace(surface, colour_basis, canvas, canvas.cut(photo), canvas.points(shape), use_network=False)
    # The network finds hands and objects, colour finds hair, glasses and hats, and sometimes lips and beards: what only
    # one of them finds is not known.
    coloured = sample(target.occluder, canvas.points(landmarks))[:, 0]
    probability = predict_occlusion(target.image, target.code_map)
    shares = np.divide(probability.shape[::-1], canvas.size[::-1])
    segmented = sample(probability, (canvas.points(landmarks)[:, :2] + 0.5) * shares - 0.5)[:, 0]
    low, high = np.minimum(coloured, segmented), np.maximum(coloured, segmented)
    in_front = np.where(low >= _OCCLUDED, 1, np.where(high <= _CLEAR, 0, np.nan))
    return np.where(hidden > 0, 1, in_front).astype(np.float32)


def _certain(opacity: Float32) -> Float32:
    """1 for occluded, 0 for visible, NaN between."""
    return np.where(opacity >= _OCCLUDED, 1, np.where(opacity <= _CLEAR, 0, np.nan)).astype(np.float32)


@dataclass(frozen=True)
class SampleShares:
    """How often samples are difficult, in [0, 1].

    Attributes:
        no_face: share of the samples that show no face.
        poor_box: share of the faces with a poor box.
        occluder: share of the faces with a synthetic occluder.
    """

    no_face: float = 0.14
    poor_box: float = 0.14
    occluder: float = 0.5


@dataclass(eq=False)
class QualitySamples:
    """A source of samples.

    Attributes:
        sets: data sets, drawn equally often.
        faces: their faces, from `known_faces`.
        hands: from `ddfa.data.occlusion_set.draw_hands`.
        size: side S of the crops in px.
        shares: how often samples are difficult.
    """

    sets: Sequence[LabelledPhotos]
    faces: Sequence[KnownFaces]
    hands: Sequence[tuple[UInt8, UInt8]]
    size: int = 120
    shares: SampleShares = SampleShares()

    def samples(self, count: int, seed: int) -> list[QualitySample]:
        """Draw samples; the same count and seed always result in the same ones."""
        rng = np.random.default_rng(seed)
        return [self.sample(rng) for _ in range(count)]

    def sample(self, rng: np.random.Generator) -> QualitySample:
        """Draw a sample."""
        number = int(rng.integers(len(self.sets)))
        index = int(rng.integers(len(self.sets[number].labels)))
        data, faces = self.sets[number], self.faces[number]
        marks, hidden = faces.landmarks[index], faces.hidden[index]
        photo = data.photos.read(data.labels.names[index])
        if rng.random() < self.shares.no_face:
            return self._without_face(photo, marks, rng)
        if rng.random() >= self.shares.poor_box:
            affine, mirrored = random_crop_affine(marks, self.size, _ROUGH, rng)
        else:
            affine, mirrored = self._poor_box(marks, rng)
        crop = warp(photo, affine, self.size, rng)
        landmarks = marks @ affine[:, :2].T + affine[:, 2]
        if mirrored:
            landmarks, hidden = landmarks[MIRRORED], hidden[MIRRORED]
        crop, opacity = self._occlude(crop, landmarks, rng)
        covered = _certain(sample(opacity, np.asarray(landmarks, np.float32))[:, 0])
        hidden = np.where(hidden == 1, 1, np.where(covered == 0, hidden, covered))
        crop = degrade(crop, _ROUGH, rng)
        outside = ((landmarks < -0.5) | (landmarks > self.size - 0.5)).any(axis=1)
        occluded = np.where(outside, np.nan, hidden)
        return QualitySample(crop, np.asarray(landmarks, np.float32), np.asarray(occluded, np.float32))

    def _poor_box(self, landmarks: Float32, rng: np.random.Generator) -> tuple[Float64, bool]:
        """A crop that is shifted, of a wrong size or rolled, as after a poor detection."""
        mirrored = bool(rng.random() < 0.5)
        roll = rng.uniform(-np.pi, np.pi) if rng.random() < 0.35 else np.deg2rad(rng.normal(0, 20))
        shift, log_scale = rng.normal(0, 0.22, 2), float(np.clip(rng.normal(0.1, 0.4), -0.8, 1.3))
        return crop_affine(landmarks, self.size, roll, mirrored, shift, log_scale), mirrored

    def _without_face(self, photo: UInt8, landmarks: Float32, rng: np.random.Generator) -> QualitySample:
        """A part of the face, its surroundings, or a synthetic background with or without a hand or object."""
        none = np.full((68, 2), np.nan, np.float32), np.full(68, np.nan, np.float32)
        if rng.random() < 0.35:
            image = random_backdrop(self.size, rng)
            if rng.random() < 0.5:
                image = composite(image, self._object(rng), rng)
            crop = np.clip(255 * image + 0.5, 0, 255).astype(np.uint8)
        else:
            low, high = landmarks.min(axis=0), landmarks.max(axis=0)
            extent = float((high - low).max())
            side = extent * rng.uniform(0.2, 0.75)
            angle = rng.uniform(0, 2 * np.pi)
            reach = rng.uniform(0.3, 0.8) * extent
            centre = (low + high) / 2 + reach * np.array([np.cos(angle), np.sin(angle)])
            zoom = self.size / side
            turn = np.deg2rad(rng.normal(0, 40))
            linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            affine = np.column_stack([linear, (self.size - 1) / 2 - linear @ centre])
            crop = warp(photo, affine, self.size, rng)
        return QualitySample(degrade(crop, _ROUGH, rng), *none)

    def _occlude(self, crop: UInt8, landmarks: Float64, rng: np.random.Generator) -> tuple[UInt8, Float32]:
        """The crop with a random occluder or none, and the opacity of the occluder (S, S)."""
        if rng.random() >= self.shares.occluder:
            return crop, np.zeros((self.size, self.size), np.float32)
        kind = str(rng.choice(list(_KINDS), p=np.array(list(_KINDS.values()))))
        drawers = {"sunglasses": sunglasses, "mask": surgical_mask, "fringe": fringe}
        if kind in drawers:
            occluder = drawers[kind](landmarks, self.size, rng)
        elif kind == "patch":
            occluder = self._patch(rng)
        else:
            occluder = self._object(rng, kind == "hand")
        image = composite(crop.astype(np.float32) / np.float32(255), occluder, rng)
        return np.clip(255 * image + 0.5, 0, 255).astype(np.uint8), occluder.opacity

    def _object(self, rng: np.random.Generator, hand: bool | None = None) -> Occluder:
        if hand if hand is not None else rng.random() < 0.5:
            skin = np.array([0.75, 0.55, 0.45]) * rng.uniform(0.4, 1.25) * np.exp(rng.normal(0, 0.06, 3))
            drawn = place_hand(self.hands[int(rng.integers(len(self.hands)))], skin, rng)
            return Occluder(*(np.asarray(cv2.resize(part, (self.size, self.size)), np.float32) for part in drawn))
        return object_occluder(self.size, rng)

    def _patch(self, rng: np.random.Generator) -> Occluder:
        """An ellipse cut out of another photo, often part of another face."""
        number = int(rng.integers(len(self.sets)))
        data = self.sets[number]
        other = data.photos.read(data.labels.names[int(rng.integers(len(data.labels)))])
        colours = np.asarray(cv2.resize(other, (self.size, self.size)), np.float32) / np.float32(255)
        mask = np.zeros((self.size, self.size), np.float32)
        centre, axes = self.size * rng.uniform(0.1, 0.9, 2), self.size * rng.uniform(0.1, 0.75, 2)
        box = ((float(centre[0]), float(centre[1])), (float(axes[0]), float(axes[1])), float(rng.uniform(0, 180)))
        cv2.ellipse(mask, box, 1.0, -1)
        return Occluder(colours, np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 1.5)), np.float32))
