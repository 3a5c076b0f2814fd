"""Drawn pairs for face replacement, whose right result is known: one person's face in the other one's picture."""

from typing import Final, NamedTuple

import numpy as np

from ddfa.arrays import Float32, Float64, UInt8
from ddfa.data.synthetic.backdrops import random_backdrop
from ddfa.data.synthetic.interior import Inner, InnerLook, random_look
from ddfa.data.synthetic.lighting import random_light
from ddfa.data.synthetic.objects.accessories import Shoulders
from ddfa.data.synthetic.objects.hair import Scalp, Style, random_style
from ddfa.data.synthetic.people import People
from ddfa.data.synthetic.scene import Painter, Scene
from ddfa.data.synthetic.skin import paint_skin, random_hair_colour
from ddfa.geometry.camera import FLIP_Y_MATRIX, project
from ddfa.geometry.pose import matrix_from_euler
from ddfa.geometry.roi import roi_from_landmarks
from ddfa.head.model import HeadModel
from ddfa.raster.blending import blend
from ddfa.raster.lighting import ambient_occlusion
from ddfa.raster.rasterize import interpolate, rasterize
from ddfa.raster.sampling import sample
from ddfa.texture.atlas import Atlas

SIDE: Final = 420  # px, of the pictures
_MARGIN: Final = 1.5  # side of a picture relative to the side of the face's RoI
_SOURCE_DEG, _TARGET_DEG = (25.0, 8.0), (50.0, 12.0)  # largest yaw and pitch
_EVERY: Final = 11  # stride of the texels from which a mean colour is computed


class DrawnPair(NamedTuple):
    """A pair of drawn people.

    Attributes:
        source: (S, S, 3) uint8 RGB, person A.
        source_landmarks: (1, 68, 3) float32, px.
        target: (S, S, 3) uint8 RGB, person B with another pose, expression and light.
        target_landmarks: (1, 68, 3) float32, px.
        truth: (S, S, 3) uint8 RGB, the picture of the target with the face of A in B's tone of skin.
        skin: (S, S) float32 in [0, 1], where the truth shows the face without eyes and mouth.
        eyes: (S, S) float32 in [0, 1], where it shows eyes, lids and brows.
    """

    source: UInt8
    source_landmarks: Float32
    target: UInt8
    target_landmarks: Float32
    truth: UInt8
    skin: Float32
    eyes: Float32


class _Person(NamedTuple):
    """Bare skin (S, S, 3) on the atlas, its tone (3,), hair, eyes and teeth."""

    skin: Float32
    tone: Float32
    style: Style
    inner: InnerLook


class _Look(NamedTuple):
    """What stays in a picture when its face is replaced."""

    pose: Float64
    light: tuple[Float64, Float64]
    gloss: float
    ground: Float32
    angles: tuple[float, float, float]


class PairPainter:
    """Draws pairs with procedural skin; hats occur, hands and glasses do not.

    Args:
        head: the open head.
        share: of A's head shape in the truth; the rest is B's.
    """

    def __init__(self, head: HeadModel, share: float = 0.5) -> None:
        self._head, self._share = head, share
        self._atlas = Atlas(head, 640)
        occlusion = ambient_occlusion(head)
        self._painter, self._shoulders = Painter(self._atlas, occlusion), Shoulders(head, occlusion)
        self._inner, self._scalp, self._people = Inner(self._atlas), Scalp(self._atlas), People(head, None)
        self._plain = np.flatnonzero((self._atlas.face > 0.7) & (self._atlas.lips < 0.1))[::_EVERY]
        near_eyes = (self._atlas.lid_mm < 9) | (self._atlas.brow_mm < 5)
        self._eyes = self._at_vertices(near_eyes.astype(np.float32)) * head.regions["face"]
        for name in ("eye_left", "eye_right"):
            self._eyes[head.regions[name]] = 1
        self._skin = head.regions["face"] * (1 - self._eyes) * ~head.regions["lips"]

    def __call__(self, seed: int) -> DrawnPair:
        """Draw the pair of a seed."""
        rng = np.random.default_rng(seed)
        people = [self._person(rng) for _ in range(2)]
        identities = np.stack([self._people.identity(None, rng) for _ in range(2)])
        expressions = np.stack([self._people.expression(rng) for _ in range(2)])
        expressions[0] *= 0.5  # the photo of a source is mostly calm
        shapes = self._head.decode(identities, expressions)
        looks = [self._look(*pair, rng) for pair in zip(shapes, (_SOURCE_DEG, _TARGET_DEG), strict=True)]
        points = self._head.decode_landmarks(identities, expressions)
        seen = [project(one, look.pose)[None].astype(np.float32) for one, look in zip(points, looks, strict=True)]

        both = (1 - self._share) * identities[1] + self._share * identities[0]
        shape = self._head.decode(both[None], expressions[1:])[0]
        shape += (points[1] - self._head.decode_landmarks(both[None], expressions[1:])[0])[17:].mean(axis=0)
        draw = int(rng.integers(1 << 30))
        truth = self._picture(shape, self._exchanged(*people), looks[1], draw)
        skin, eyes = self._masks(shape, looks[1].pose)
        return DrawnPair(
            self._picture(shapes[0], people[0], looks[0], draw + 1),
            seen[0],
            self._picture(shapes[1], people[1], looks[1], draw),
            seen[1],
            truth,
            skin,
            eyes,
        )

    def _look(self, shape: Float32, bounds: tuple[float, float], rng: np.random.Generator) -> _Look:
        yaw, pitch = bounds
        angles = float(rng.uniform(-yaw, yaw)), float(rng.uniform(-pitch, pitch)), float(rng.normal(0, 4))
        linear = FLIP_Y_MATRIX @ matrix_from_euler(np.array(angles))
        face = shape[self._head.regions["face"]]
        x0, y0, x1, y1 = roi_from_landmarks((face @ linear.T)[None])[0].astype(np.float64)
        zoom = SIDE / _MARGIN / (x1 - x0)
        shift = (SIDE - 1) / 2 - zoom * np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        pose = np.column_stack([zoom * linear, [*shift, 0.0]])
        return _Look(pose, random_light(rng), float(rng.uniform(0, 1)), random_backdrop(SIDE, rng), angles)

    def _person(self, rng: np.random.Generator) -> _Person:
        hair = random_hair_colour(rng)
        skin = paint_skin(self._atlas, hair, rng)
        return _Person(skin, self._tone(skin), random_style(hair, rng), random_look(rng))

    def _tone(self, skin: Float32) -> Float32:
        return np.asarray(np.median(skin.reshape(-1, 3)[self._plain], axis=0), np.float32)

    def _exchanged(self, own: _Person, other: _Person) -> _Person:
        """The other person with the own face, eyes and teeth, in the other's tone of skin."""
        matched = np.clip(own.skin * (other.tone / np.maximum(own.tone, 1e-3)), 0, 1)
        return _Person(blend(other.skin, matched, self._atlas.face), other.tone, other.style, own.inner)

    def _picture(self, shape: Float32, person: _Person, look: _Look, seed: int) -> UInt8:
        rng = np.random.default_rng(seed)
        raised = self._scalp.raise_surface(shape, person.style, rng)
        extras = self._scalp.extras(shape, person.style, rng)
        extras.append(self._shoulders.draw(shape, look.angles, person.tone, rng))
        texture = self._inner.paint(self._scalp.paint(person.skin, person.style, rng), person.tone, rng)
        texture = self._atlas.closed(texture)
        scene = Scene(raised, texture, extras, look.pose, *look.light, look.gloss, look.ground, person.inner)
        image = self._painter.draw(scene).image + rng.normal(0, 0.008, (SIDE, SIDE, 1))
        return np.asarray(np.clip(255 * image + 0.5, 0, 255), np.uint8)

    def _masks(self, shape: Float32, pose: Float64) -> tuple[Float32, Float32]:
        placed = np.asarray(project(shape, pose), np.float32)
        raster = rasterize(placed, self._head.triangles, SIDE, SIDE, cull=True)
        fields = interpolate(raster, self._head.triangles, np.column_stack([self._skin, self._eyes]))
        return fields[..., 0], fields[..., 1]

    def _at_vertices(self, texels: Float32) -> Float32:
        """Values (V,) of texels (S, S); on a seam, those of one of its sides."""
        values = np.zeros(self._head.vertices, np.float32)
        at_corners = sample(texels, self._atlas.uv)[:, 0]
        values[self._head.triangles.ravel()] = at_corners[self._atlas.uv_triangles.ravel()]
        return values
