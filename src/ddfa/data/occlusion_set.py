"""Faces with and without hands and things before them, each pixel labelled: what `replace.covering` learns from.

Faces come from labelled photos, hands and things are drawn. What the photos themselves hold before faces is not known;
where the colours alone say that there may be something, pixels do not count.
"""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from rich.progress import track

from ddfa.arrays import Float32, UInt8
from ddfa.data.augmentation import Augmentation, degrade
from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.data.synthetic.hands import hand_occluder
from ddfa.data.synthetic.occluders import Occluder, composite, object_occluder
from ddfa.geometry.camera import project
from ddfa.head.model import HeadModel
from ddfa.replace.appearance.colour import ColourBasis
from ddfa.replace.face_region import FaceSurface
from ddfa.replace.occlusion.network import SIDE, network_input
from ddfa.replace.roi_canvas import RoiCanvas
from ddfa.replace.target import TargetFace

_NOTHING, _THING, _PATCH = 0.25, 0.12, 0.1  # shares of the samples; the others have a hand
_SECOND: Final = 0.15  # share of the hands that come with another
_STRANGER: Final = 0.15  # share of the hands of other people
_FACE_HEIGHT: Final = 0.78 * SIDE  # of a face in its canvas
_UNSURE: Final = 0.25  # how likely something in the photo lies before the face where pixels no longer count
_DEGRADED: Final = Augmentation(occlude=0.0, blur=0.3, shrink=0.25, noise=0.2, jpeg=0.4)


class UnoccludedFace(NamedTuple):
    """A face of a photo, cut out.

    Attributes:
        picture: (SIDE, SIDE, 3) uint8 RGB.
        codes: (SIDE, SIDE, 4) float16, places on the face.
        counts: (SIDE, SIDE) uint8, 255 on the face where nothing seems to lie before it.
        skin: (3,) float32, its colour in [0, 1].
    """

    picture: UInt8
    codes: Float32
    counts: UInt8
    skin: Float32


class OccludedSample(NamedTuple):
    """What the network sees, and what it should say.

    Attributes:
        seen: (7, SIDE, SIDE) float32, see `replace.covering.network_input`.
        covered: (SIDE, SIDE) float32 in [0, 1].
        counts: (SIDE, SIDE) float32 in [0, 1], weight of each pixel.
    """

    seen: Float32
    covered: Float32
    counts: Float32


def crop_unoccluded_faces(
    data: LabelledPhotos, indices: Sequence[int], head: HeadModel, workers: int
) -> list[UnoccludedFace]:
    """Cut faces out of photos.

    Args:
        data: the photos.
        indices: which of them.
        head: the open head.
        workers: processes.
    """
    chunks = [list(indices[start : start + 100]) for start in range(0, len(indices), 100)]
    with ProcessPoolExecutor(workers) as pool:
        cut = pool.map(partial(_cut_chunk, data, head), chunks)
        return [face for faces in track(cut, "cut faces", len(chunks)) for face in faces]


def draw_hands(count: int, seed: int, workers: int) -> list[tuple[UInt8, UInt8]]:
    """Hands before an imagined face: half their colours (SIDE, SIDE, 3) and their opacity (SIDE, SIDE), both uint8."""
    chunks = [(seed, number, min(100, count - number)) for number in range(0, count, 100)]
    with ProcessPoolExecutor(workers) as pool:
        drawn = pool.map(_draw_chunk, chunks)
        return [hand for hands in track(drawn, "draw hands", len(chunks)) for hand in hands]


@dataclass(eq=False)
class OccludedFaces:
    """A source of samples.

    Attributes:
        faces: without anything before them, as far as known.
        hands: of `draw_hands`.
    """

    faces: list[UnoccludedFace]
    hands: list[tuple[UInt8, UInt8]]

    def sample(self, rng: np.random.Generator) -> OccludedSample:
        """A face, with a hand or a thing before it or not."""
        face = self.faces[rng.integers(len(self.faces))]
        affine, mirrored = _random_affine(rng)
        picture = np.asarray(_warp(face.picture, affine, mirrored), np.float32) / np.float32(255)
        counts = _warp(face.counts, affine, mirrored, cv2.BORDER_CONSTANT).astype(np.float32) / np.float32(255)
        covered = np.zeros((SIDE, SIDE), np.float32)
        for cover in self._covers(face, rng):
            picture = composite(picture, cover, rng)
            covered = np.maximum(covered, cover.opacity)
        # Fits are never exact, so places are off a little.
        off = affine + np.column_stack([rng.normal(0, 0.02, (2, 2)), rng.normal(0, 1.5, 2)])
        codes = np.asarray(
            _warp(face.codes.astype(np.float32), off, mirrored, cv2.BORDER_CONSTANT, cv2.INTER_NEAREST), np.float32
        )
        if mirrored:
            codes[..., 0] *= -1
        shown = degrade(np.clip(255 * picture + 0.5, 0, 255).astype(np.uint8), _DEGRADED, rng)
        weight = np.where(covered > 0.5, codes[..., 3], np.minimum(counts, codes[..., 3]))
        return OccludedSample(network_input(shown, codes), covered, np.asarray(weight, np.float32))

    def _covers(self, face: UnoccludedFace, rng: np.random.Generator) -> list[Occluder]:
        kind = rng.random()
        if kind < _NOTHING:
            return []
        if kind < _NOTHING + _THING:
            return [object_occluder(SIDE, rng)]
        if kind < _NOTHING + _THING + _PATCH:
            return [self._patch(rng)]
        return [self._hand(face, rng) for _ in range(1 + (rng.random() < _SECOND))]

    def _hand(self, face: UnoccludedFace, rng: np.random.Generator) -> Occluder:
        colours, opacity = self.hands[rng.integers(len(self.hands))]
        affine, mirrored = _random_affine(rng, 25, 0.15)
        colours = _warp(colours, affine, mirrored).astype(np.float32) * np.float32(2 / 255)
        share = _warp(opacity, affine, mirrored, cv2.BORDER_CONSTANT).astype(np.float32) / np.float32(255)
        skin = face.skin if rng.random() > _STRANGER else self.faces[rng.integers(len(self.faces))].skin
        tint = skin * rng.uniform(0.75, 1.2) * np.exp(rng.normal(0, 0.05, 3))
        mean = (colours * share[..., None]).sum(axis=(0, 1)) / max(float(share.sum()), 1.0)
        shade = np.asarray(np.minimum(colours / max(float(mean.mean()), 0.05) * tint, 1), np.float32)
        blur = float(rng.choice([0.0, rng.uniform(0.4, 1.5)]))
        if blur:  # nearer than the face, or moving
            shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), blur), np.float32)
            share = np.asarray(cv2.GaussianBlur(share, (0, 0), blur), np.float32)
        return Occluder(shade, share)

    def _patch(self, rng: np.random.Generator) -> Occluder:
        """A piece of another photo, of any outline."""
        other = self.faces[rng.integers(len(self.faces))].picture
        affine, mirrored = _random_affine(rng, 180, 0.6)
        colours = _warp(other, affine, mirrored, cv2.BORDER_REFLECT).astype(np.float32) / np.float32(255)
        centre, turn = SIDE * rng.uniform(0.15, 0.85, 2), rng.uniform(0, 6.3)
        corners = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 9)))) + turn
        reach = SIDE * rng.uniform(0.06, 0.4, (len(corners), 1))
        outline = centre + reach * np.stack([np.cos(corners), np.sin(corners)], axis=-1)
        mask = np.zeros((SIDE, SIDE), np.float32)
        cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], 1.0, cv2.LINE_8, 4)
        return Occluder(colours, np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 2)), np.float32))


def _random_affine(rng: np.random.Generator, turn_deg: float = 8.0, zoom: float = 0.08) -> tuple[Float32, bool]:
    """A random small change (2, 3) of a square of `SIDE`, and whether to mirror it."""
    middle = (SIDE - 1) / 2
    scale = float(np.exp(rng.normal(0, zoom)))
    affine = np.asarray(cv2.getRotationMatrix2D((middle, middle), rng.normal(0, turn_deg), scale), np.float32)
    affine[:, 2] += rng.normal(0, 3, 2).astype(np.float32)
    return affine, bool(rng.random() < 0.5)


def _warp(
    picture: UInt8 | Float32,
    affine: Float32,
    mirrored: bool,
    border: int = cv2.BORDER_REPLICATE,
    interpolation: int = cv2.INTER_LINEAR,
) -> Any:
    source: Any = np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture
    return cv2.warpAffine(source, affine, (SIDE, SIDE), flags=interpolation, borderMode=border)


def _cut_chunk(data: LabelledPhotos, head: HeadModel, indices: list[int]) -> list[UnoccludedFace]:
    surface = FaceSurface(head)
    colour_basis = ColourBasis(surface)
    return [_cut(data, surface, colour_basis, index) for index in indices]


def _cut(data: LabelledPhotos, surface: FaceSurface, colour_basis: ColourBasis, index: int) -> UnoccludedFace:
    labels, photo = data.labels, data.photos.read(data.labels.names[index])
    decoded = surface.points.decode(labels.identity[index : index + 1], labels.expression[index : index + 1])[0]
    pose = labels.pose[index]
    shape = np.asarray(project(decoded, pose), np.float32)
    canvas = RoiCanvas.around(shape, 2 * SIDE)
    view = TargetFace(surface, colour_basis, canvas, canvas.cut(photo), canvas.points(shape), use_network=False)
    bare = view.raster.mask & (view.occluder < _UNSURE)
    size = (SIDE, SIDE)
    skin = (
        np.exp(np.median(view.colours[surface.plain & (view.visible_skin > 0.3)], axis=0)) if bare.any() else np.ones(3)
    )
    return UnoccludedFace(
        np.asarray(cv2.resize(view.image, size, interpolation=cv2.INTER_AREA), np.uint8),
        view.code_map.astype(np.float16),
        np.asarray(cv2.resize(255 * bare.astype(np.uint8), size, interpolation=cv2.INTER_AREA), np.uint8),
        np.nan_to_num(skin, nan=0.6).astype(np.float32),
    )


def _draw_chunk(chunk: tuple[int, int, int]) -> list[tuple[UInt8, UInt8]]:
    seed, number, count = chunk
    rng = np.random.default_rng([seed, number])
    middle = (SIDE - 1) / 2
    drawn = (hand_occluder(SIDE, (middle, middle, _FACE_HEIGHT), np.ones(3), rng) for _ in range(count))
    return [
        (np.clip(127.5 * hand.colours, 0, 255).astype(np.uint8), (255 * hand.opacity + 0.5).astype(np.uint8))
        for hand in drawn
    ]
