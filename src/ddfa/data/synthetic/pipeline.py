"""`ddfa data render`: synthetic images of the open head, with exact labels."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final, NamedTuple, TypeAlias

import cv2
import numpy as np
from tyro.conf import arg

from ddfa.arrays import Float32, Float64, Floats, UInt8
from ddfa.data.face_profiling.rotation import remove_face
from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.data.sets.image_set import Draw, ImageSet, Sample, make_images
from ddfa.data.sets.labels import Labels
from ddfa.data.synthetic.backdrops import random_backdrop
from ddfa.data.synthetic.faces import Face, Wardrobe
from ddfa.data.synthetic.lighting import random_light
from ddfa.data.synthetic.objects.accessories import Shoulders, glasses
from ddfa.data.synthetic.objects.hands import hand_occluder
from ddfa.data.synthetic.objects.occluders import Occluder, composite, object_occluder
from ddfa.data.synthetic.people import People, random_angles
from ddfa.data.synthetic.photo_skin import content
from ddfa.data.synthetic.scene import Painter, Scene
from ddfa.data.synthetic.shading_kernels import expose
from ddfa.data.synthetic.tongue import bend_tongue
from ddfa.data.synthetic.visibility import UnitVisibility, visible_vertices
from ddfa.geometry.camera import FLIP_Y_MATRIX, project
from ddfa.geometry.pose import matrix_from_euler
from ddfa.geometry.roi import roi_from_landmarks
from ddfa.head.model import HeadModel
from ddfa.options import Count, Folder, Margin, PictureSide, Seed, Workers, Worst
from ddfa.raster.lighting import ambient_occlusion
from ddfa.texture.atlas import Atlas

_Share: TypeAlias = Annotated[float, arg(metavar="SHARE")]
_PER_FACE: Final = 6  # images per skin and background; each has another shape, expression, pose and light
_FACE_SHARE: Final = 0.85  # height of a face relative to the side of its RoI
_GREY: Final = 0.02  # a smaller range of the channels of a skin means a greyscale photo
_ATLAS, _LARGEST_ATLAS = 320, 640  # px; larger images need more detail
_SHOULDER: Final = 0.7  # brightness above which the tone curve flattens


@dataclass(frozen=True)
class RenderConfig:
    """Settings of synthetic images.

    Attributes:
        output: the data set folder to write; an interrupted run is resumed.
        data: a labelled data set that provides skins, shapes, expressions and backgrounds; none by default.
        count: how many.
        painted: share of the faces with procedural skin even where photos provide skins.
        hands: share of the images with a hand or an object in front of the face.
        glasses: share of the images with glasses.
        picture: side of the images in px.
        margin: side of the image relative to the side of the face's RoI.
        worst: see `ddfa.options.Worst`.
        workers: see `ddfa.options.Workers`.
        seed: of the random generator.
    """

    output: Folder
    data: Annotated[Path | None, arg(metavar="DIR")] = None
    count: Count = 16_000
    painted: _Share = 0.2
    hands: _Share = 0.08
    glasses: _Share = 0.12
    picture: PictureSide = 160
    margin: Margin = 1.35
    worst: Worst = 0.04
    workers: Workers = 0
    seed: Seed = 0


def render_faces(config: RenderConfig) -> Labels:
    """Render synthetic images; writes a data set.

    Args:
        config: the settings.

    Returns:
        The labels of the images: exact pose, identity and expression, fit error 0; `sources` names the photos from
        which skins were taken.

    Raises:
        DataError: the data set cannot be used, or the folder contains parts made with other settings.
        OutputError: the folder cannot be written.
    """
    head = HeadModel.load()
    if config.data is not None:
        LabelledPhotos.open(config.data, head)  # a bad data set is an error here, not in each worker
    settings = {name: value for name, value in asdict(config).items() if name not in ("output", "workers")}
    made = ImageSet("ddfa data render", config.output, config.count, config.seed, head.name, settings)
    return make_images(made, partial(_open, config), config.workers)


def _open(config: RenderConfig) -> Draw:
    head = HeadModel.load()
    data = None if config.data is None else LabelledPhotos.open(config.data, head, config.worst)
    return FaceRenderer(head, data, config).draw


class _Person(NamedTuple):
    """Shape of a face: identity (I,), expression (E,), vertices (V, 3) and landmarks (68, 3) in head space."""

    identity: Float32
    expression: Float32
    shape: Float32
    landmarks: Float32


class FaceRenderer:
    """Renders synthetic images.

    Args:
        head: the open head.
        data: photos that provide skins, shapes, expressions and backgrounds; None makes all procedural.
        config: the settings.
    """

    def __init__(self, head: HeadModel, data: LabelledPhotos | None, config: RenderConfig) -> None:
        self._head, self._data, self._config = head, data, config
        atlas = Atlas(head, min(_LARGEST_ATLAS, max(_ATLAS, config.picture)))
        self._wardrobe = Wardrobe(atlas)
        self._people = People(head, None if data is None else data.labels)
        occlusion = ambient_occlusion(head)
        self._painter = Painter(atlas, occlusion)
        self._shoulders = Shoulders(head, occlusion)
        self._visibility = UnitVisibility(head)

    def draw(self, rng: np.random.Generator, count: int) -> Iterator[Sample]:
        """Render images with their labels."""
        for start in range(0, count, _PER_FACE):
            (face, own), ground = self._face(rng), self._ground(rng)
            number = min(_PER_FACE, count - start)
            identities = np.stack([self._people.identity(own, rng) for _ in range(number)])
            expressions = np.stack([self._people.expression(rng) for _ in range(number)])
            # Decoded together: the time is that of reading the bases.
            shapes = self._head.decode(identities, expressions)
            points = self._head.decode_landmarks(identities, expressions)
            for identity, expression, shape, landmarks in zip(identities, expressions, shapes, points, strict=True):
                person = _Person(identity, expression, shape, landmarks)
                yield self._sample(face, own, person, ground[:, :: rng.choice([-1, 1])], rng)

    def _face(self, rng: np.random.Generator) -> tuple[Face, int | None]:
        """An appearance, and the index of the photo that it was taken from."""
        if self._data is not None and rng.random() >= self._config.painted:
            index = int(rng.integers(len(self._data.labels)))
            face = self._wardrobe.photographed(self._photo(index), self._vertices(index), rng)
            if face is not None:
                return face, index
        return self._wardrobe.painted(rng), None

    def _sample(
        self, face: Face, own: int | None, person: "_Person", ground: Float32, rng: np.random.Generator
    ) -> Sample:
        identity, expression, shape, landmarks = person
        angles = random_angles(rng)
        shape = bend_tongue(self._head, shape, expression, rng)
        pose = self._pose(landmarks, angles)

        raised = self._wardrobe.scalp.raise_surface(shape, face.style, rng)
        extras = self._wardrobe.scalp.extras(shape, face.style, rng)
        extras.append(self._shoulders.draw(shape, angles, face.skin, rng))
        if rng.random() < self._config.glasses:
            extras += glasses(landmarks, shape, rng)
        light, main = random_light(rng)
        image, points, depth = self._painter.draw(
            Scene(raised, face.texture, extras, pose, light, main, float(rng.uniform(0, 1)), ground, face.inner)
        )
        opacity: Float32 | None = None
        if rng.random() < self._config.hands:
            occluder = self._occluder(project(landmarks, pose), face.skin, rng)
            image = composite(image, occluder, rng)
            opacity = np.asarray(cv2.resize(occluder.opacity, depth.shape[::-1]), np.float32)
        scale = depth.shape[0] / image.shape[0] * float(np.linalg.norm(pose[0, :3]))
        visibility = self._visibility.weights(
            visible_vertices(points[self._visibility.vertices], depth, scale, opacity)
        )
        if np.ptp(face.skin) < _GREY:  # the skin was taken from a greyscale photo
            image = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
        source = "" if own is None or self._data is None else self._source(own)
        return Sample(_photographed(image, rng), pose, identity, expression, 0.0, source, visibility)

    def _occluder(self, landmarks: Floats, skin: Float32, rng: np.random.Generator) -> Occluder:
        """A hand or an object in front of landmarks (68, 3) of the image."""
        size = self._config.picture
        if rng.random() < 0.4:
            return object_occluder(size, rng)
        x, y, _ = landmarks.mean(axis=0)
        return hand_occluder(size, (float(x), float(y), _FACE_SHARE * size / self._config.margin), skin, rng)

    def _pose(self, landmarks: Float32, angles: tuple[float, float, float]) -> Float64:
        """The pose (3, 4) that centres the RoI of the rotated landmarks in the image."""
        size = self._config.picture
        linear = FLIP_Y_MATRIX @ matrix_from_euler(np.array(angles))
        x0, y0, x1, y1 = roi_from_landmarks((landmarks @ linear.T)[None])[0].astype(np.float64)
        zoom = size / self._config.margin / (x1 - x0)
        shift = (size - 1) / 2 - zoom * np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        return np.column_stack([zoom * linear, [*shift, 0.0]])

    def _ground(self, rng: np.random.Generator) -> Float32:
        size = self._config.picture
        if self._data is None or rng.random() < 0.25:
            return random_backdrop(size, rng)
        index = int(rng.integers(len(self._data.labels)))
        photo = self._photo(index)
        x0, y0, x1, y1 = content(photo)
        empty = remove_face(photo, self._vertices(index), self._head.triangles)[y0:y1, x0:x1]
        return np.asarray(cv2.resize(empty, (size, size), interpolation=cv2.INTER_LINEAR) / 255, np.float32)

    def _photo(self, index: int) -> UInt8:
        assert self._data is not None
        return self._data.photos.read(self._data.labels.names[index])

    def _vertices(self, index: int) -> Float32:
        assert self._data is not None
        labels = self._data.labels
        shape = self._head.decode(labels.identity[index : index + 1], labels.expression[index : index + 1])[0]
        pose = labels.pose[index]
        return np.asarray(project(shape, pose), np.float32)

    def _source(self, index: int) -> str:
        assert self._data is not None
        labels = self._data.labels
        return (labels.sources or labels.names)[index]


def _photographed(image: Float32, rng: np.random.Generator) -> UInt8:
    """Add blur, noise and a tone curve to a rendered image (S, S, 3); white is 1."""
    if rng.random() < 0.7:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.9)), np.float32)
    image = np.ascontiguousarray(image, np.float32)
    noise = rng.standard_normal(image.size, np.float32)
    photo = np.empty(image.shape, np.uint8)
    expose(image.ravel(), noise, float(rng.uniform(0, 0.02)), _SHOULDER, photo.ravel())
    return photo
