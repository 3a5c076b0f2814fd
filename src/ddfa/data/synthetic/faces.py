"""Appearance of synthetic faces: skin, hair and eyes, from a photo or procedural."""

from typing import Final, NamedTuple

import numpy as np

from ddfa.arrays import Float32, Floats, UInt8
from ddfa.data.synthetic.interior import Inner, InnerLook, random_look
from ddfa.data.synthetic.objects.hair import Scalp, Style, random_style
from ddfa.data.synthetic.photo_skin import photo_skin
from ddfa.data.synthetic.skin import paint_lashes, paint_skin, plain_skin, random_hair_colour
from ddfa.raster.blending import blend
from ddfa.texture.atlas import Atlas

_EVERY: Final = 11  # stride of the texels from which a mean colour is computed
_LEAST_SHARE: Final = 0.35  # of the face that a photo must show to be used
_BRIGHTNESS: Final = (0.28, 0.75)  # of skin


class Face(NamedTuple):
    """Appearance of a person, apart from shape and expression.

    Attributes:
        texture: (S, S, 3) float32 reflectance on the atlas, RGB in [0, 1].
        skin: (3,) float32, its mean colour.
        style: hair and headwear.
        inner: eyes and teeth.
    """

    texture: Float32
    skin: Float32
    style: Style
    inner: InnerLook


class Wardrobe:
    """Makes appearances of faces.

    Args:
        atlas: of the head.
    """

    def __init__(self, atlas: Atlas) -> None:
        self._atlas = atlas
        self._inner, self._scalp = Inner(atlas), Scalp(atlas)
        self._face = np.flatnonzero((atlas.face > 0.7) & (atlas.lips < 0.1))[::_EVERY]

    @property
    def scalp(self) -> Scalp:
        """Applies the style of these faces to their shape."""
        return self._scalp

    def photographed(self, photo: UInt8, vertices: Floats, rng: np.random.Generator) -> Face | None:
        """Take the appearance from a photo (H, W, 3); None if the photo shows too little of the face.

        Args:
            photo: (H, W, 3) uint8 RGB.
            vertices: (V, 3) the fitted head in image space.
            rng: source of randomness.
        """
        shown = photo_skin(photo, vertices, self._atlas)
        if shown.share < _LEAST_SHARE:
            return None
        hair = random_hair_colour(rng) if shown.hair is None else np.clip(shown.hair, 0.02, 0.95)
        skin = np.median(shown.skin.reshape(-1, 3)[self._face], axis=0)
        # Under- and overexposed skin is brought back into the range of natural skin.
        exposure = np.clip(skin.mean(), *_BRIGHTNESS) / max(float(skin.mean()), 1e-3)
        around = plain_skin(self._atlas, np.clip(exposure * skin, 0, 1).astype(np.float32), rng)
        texture = blend(around, np.clip(exposure * shown.skin, 0, 1), self._atlas.face)
        return self._finish(paint_lashes(self._atlas, texture, rng), np.asarray(hair, np.float32), rng)

    def painted(self, rng: np.random.Generator) -> Face:
        """Paint a procedural face."""
        hair = random_hair_colour(rng)
        return self._finish(paint_skin(self._atlas, hair, rng), hair, rng)

    def _finish(self, texture: Float32, hair: Float32, rng: np.random.Generator) -> Face:
        skin = np.median(texture.reshape(-1, 3)[self._face], axis=0).astype(np.float32)
        style = random_style(hair, rng)
        texture = self._inner.paint(self._scalp.paint(texture, style, rng), skin, rng)
        return Face(self._atlas.closed(texture), skin, style, random_look(rng))
