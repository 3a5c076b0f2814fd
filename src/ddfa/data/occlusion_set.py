"""Training samples for the occlusion network: faces with and without occluders, and the mask of the occluders.

Faces are cut out of labelled photos; hands and objects in front of them are synthetic. Occluders that are in the photos
already have no ground truth, so pixels whose colour suggests one have no weight in the loss.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Float32, Floats, UInt8
from ddfa.data.augmentation import Augmentation, degrade
from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.data.synthetic.objects.hands import hand_occluder
from ddfa.data.synthetic.objects.occluders import Occluder, composite, object_occluder
from ddfa.geometry.camera import project
from ddfa.head.model import HeadModel
from ddfa.jobs import run_all
from ddfa.occlusion.face_region import FaceSurface
from ddfa.occlusion.network import SIDE, network_input
from ddfa.occlusion.roi_canvas import RoiCanvas
from ddfa.occlusion.skin_colour import ColourBasis
from ddfa.replace.target import TargetFace

_NOTHING, _OBJECT, _PATCH = 0.25, 0.12, 0.1  # shares of the samples; the others have a hand
_SECOND: Final = 0.15  # share of the hands that come with another
_STRANGER: Final = 0.15  # share of the hands of other people
_FACE_HEIGHT: Final = 0.78 * SIDE  # of a face in its canvas
_UNSURE: Final = 0.25  # pixels with a larger probability of an occluder in the photo are ignored
_CHUNK: Final = 100  # faces or hands per task
_DEGRADED: Final = Augmentation(occlude=0.0, blur=0.3, shrink=0.25, noise=0.2, jpeg=0.4)


class UnoccludedFace(NamedTuple):
    """A face cut out of a photo.

    Attributes:
        image: (SIDE, SIDE, 3) uint8 RGB.
        codes: (SIDE, SIDE, 4) float16, codes of the surface, see `network_input`.
        valid: (SIDE, SIDE) uint8, 255 on the face where it seems to be unoccluded.
        skin: (3,) float32, its colour in [0, 1].
    """

    image: UInt8
    codes: Float32
    valid: UInt8
    skin: Float32


class OccludedSample(NamedTuple):
    """An input of the network and its ground truth.

    Attributes:
        inputs: (7, SIDE, SIDE) float32, see `ddfa.occlusion.network.network_input`.
        occluded: (SIDE, SIDE) float32 in [0, 1], the occlusion mask.
        weight: (SIDE, SIDE) float32 in [0, 1], of each pixel in the loss.
    """

    inputs: Float32
    occluded: Float32
    weight: Float32


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
    chunks = [list(indices[start : start + _CHUNK]) for start in range(0, len(indices), _CHUNK)]
    return [
        face for faces in run_all(partial(_open_cutter, data, head), chunks, workers, "cut faces") for face in faces
    ]


def draw_hands(count: int, seed: int, workers: int) -> list[tuple[UInt8, UInt8]]:
    """Render hands as in front of a face of average size.

    Args:
        count: number of hands.
        seed: of everything random.
        workers: processes.

    Returns:
        Half the colours (SIDE, SIDE, 3) and the opacity (SIDE, SIDE) of each hand, both uint8.
    """
    chunks = [(seed, number, min(_CHUNK, count - number)) for number in range(0, count, _CHUNK)]
    return [hand for hands in run_all(_open_painter, chunks, workers, "render hands") for hand in hands]


@dataclass(eq=False)
class OccludedFaces:
    """A source of samples.

    Attributes:
        faces: unoccluded, as far as known.
        hands: from `draw_hands`.
    """

    faces: list[UnoccludedFace]
    hands: list[tuple[UInt8, UInt8]]

    def sample(self, rng: np.random.Generator) -> OccludedSample:
        """A random face, with or without occluders."""
        face = self.faces[rng.integers(len(self.faces))]
        affine, mirrored = _random_affine(rng)
        image = np.asarray(_warp(face.image, affine, mirrored), np.float32) / np.float32(255)
        valid = _warp(face.valid, affine, mirrored, cv2.BORDER_CONSTANT).astype(np.float32) / np.float32(255)
        occluded = np.zeros((SIDE, SIDE), np.float32)
        for occluder in self._occluders(face, rng):
            image = composite(image, occluder, rng)
            occluded = np.maximum(occluded, occluder.opacity)
        # Fits are never exact: the codes are displaced a little against the image.
        displaced = affine + np.column_stack([rng.normal(0, 0.02, (2, 2)), rng.normal(0, 1.5, 2)])
        codes = np.asarray(
            _warp(face.codes.astype(np.float32), displaced, mirrored, cv2.BORDER_CONSTANT, cv2.INTER_NEAREST),
            np.float32,
        )
        if mirrored:
            codes[..., 0] *= -1
        shown = degrade(np.clip(255 * image + 0.5, 0, 255).astype(np.uint8), _DEGRADED, rng)
        # Under a synthetic occluder the truth is known, whatever the photo shows there.
        weight = np.where(occluded > 0.5, codes[..., 3], np.minimum(valid, codes[..., 3]))
        return OccludedSample(network_input(shown, codes), occluded, np.asarray(weight, np.float32))

    def _occluders(self, face: UnoccludedFace, rng: np.random.Generator) -> list[Occluder]:
        kind = rng.random()
        if kind < _NOTHING:
            return []
        if kind < _NOTHING + _OBJECT:
            return [object_occluder(SIDE, rng)]
        if kind < _NOTHING + _OBJECT + _PATCH:
            return [self._patch(rng)]
        return [self._hand(face, rng) for _ in range(1 + (rng.random() < _SECOND))]

    def _hand(self, face: UnoccludedFace, rng: np.random.Generator) -> Occluder:
        skin = face.skin if rng.random() > _STRANGER else self.faces[rng.integers(len(self.faces))].skin
        return place_hand(self.hands[rng.integers(len(self.hands))], skin, rng)

    def _patch(self, rng: np.random.Generator) -> Occluder:
        """A polygon cut out of another photo."""
        other = self.faces[rng.integers(len(self.faces))].image
        affine, mirrored = _random_affine(rng, 180, 0.6)
        colours = _warp(other, affine, mirrored, cv2.BORDER_REFLECT).astype(np.float32) / np.float32(255)
        centre, turn = SIDE * rng.uniform(0.15, 0.85, 2), rng.uniform(0, 6.3)
        corners = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 9)))) + turn
        reach = SIDE * rng.uniform(0.06, 0.4, (len(corners), 1))
        outline = centre + reach * np.stack([np.cos(corners), np.sin(corners)], axis=-1)
        mask = np.zeros((SIDE, SIDE), np.float32)
        cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], 1.0, cv2.LINE_8, 4)
        return Occluder(colours, np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 2)), np.float32))


def place_hand(hand: tuple[UInt8, UInt8], skin: Floats, rng: np.random.Generator) -> Occluder:
    """Vary the position, colour and sharpness of a rendered hand.

    Args:
        hand: one of `draw_hands`.
        skin: (3,) colour of the skin, RGB in [0, 1].
        rng: source of randomness.

    Returns:
        An occluder of side `SIDE`.
    """
    affine, mirrored = _random_affine(rng, 25, 0.15)
    colours = _warp(hand[0], affine, mirrored).astype(np.float32) * np.float32(2 / 255)
    alpha = _warp(hand[1], affine, mirrored, cv2.BORDER_CONSTANT).astype(np.float32) / np.float32(255)
    tint = skin * rng.uniform(0.75, 1.2) * np.exp(rng.normal(0, 0.05, 3))
    mean = (colours * alpha[..., None]).sum(axis=(0, 1)) / max(float(alpha.sum()), 1.0)
    shade = np.asarray(np.minimum(colours / max(float(mean.mean()), 0.05) * tint, 1), np.float32)
    blur = float(rng.choice([0.0, rng.uniform(0.4, 1.5)]))
    if blur:  # out of focus, being nearer than the face, or moving
        shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), blur), np.float32)
        alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), blur), np.float32)
    return Occluder(shade, alpha)


def _random_affine(rng: np.random.Generator, turn_deg: float = 8.0, zoom: float = 0.08) -> tuple[Float32, bool]:
    """A random small similarity (2, 3) of a square of side `SIDE`, and whether to mirror it."""
    middle = (SIDE - 1) / 2
    scale = float(np.exp(rng.normal(0, zoom)))
    affine = np.asarray(cv2.getRotationMatrix2D((middle, middle), rng.normal(0, turn_deg), scale), np.float32)
    affine[:, 2] += rng.normal(0, 3, 2).astype(np.float32)
    return affine, bool(rng.random() < 0.5)


def _warp(
    image: UInt8 | Float32,
    affine: Float32,
    mirrored: bool,
    border: int = cv2.BORDER_REPLICATE,
    interpolation: int = cv2.INTER_LINEAR,
) -> Any:
    source: Any = np.ascontiguousarray(image[:, ::-1]) if mirrored else image
    return cv2.warpAffine(source, affine, (SIDE, SIDE), flags=interpolation, borderMode=border)


def _open_cutter(data: LabelledPhotos, head: HeadModel) -> Callable[[list[int]], list[UnoccludedFace]]:
    surface = FaceSurface(head)
    colour_basis = ColourBasis(surface)
    return lambda indices: [_cut(data, surface, colour_basis, index) for index in indices]


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


def _open_painter() -> Callable[[tuple[int, int, int]], list[tuple[UInt8, UInt8]]]:
    return _draw_chunk


def _draw_chunk(chunk: tuple[int, int, int]) -> list[tuple[UInt8, UInt8]]:
    seed, number, count = chunk
    rng = np.random.default_rng([seed, number])
    middle = (SIDE - 1) / 2
    drawn = (hand_occluder(SIDE, (middle, middle, _FACE_HEIGHT), np.ones(3), rng) for _ in range(count))
    return [
        (np.clip(127.5 * hand.colours, 0, 255).astype(np.uint8), (255 * hand.opacity + 0.5).astype(np.uint8))
        for hand in drawn
    ]
