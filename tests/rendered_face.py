"""A rendered face whose expression can be chosen, for tests that need images with known blendshapes."""

import numpy as np

from ddfa.arrays import UInt8
from ddfa.data.synthetic.backdrops import random_backdrop
from ddfa.data.synthetic.faces import Wardrobe
from ddfa.data.synthetic.lighting import random_light
from ddfa.data.synthetic.scene import Painter, Scene
from ddfa.geometry.camera import FLIP_Y_MATRIX
from ddfa.geometry.pose import matrix_from_euler
from ddfa.head.open import load_open_head
from ddfa.raster.lighting import ambient_occlusion
from ddfa.texture.atlas import Atlas


class RenderedFace:
    """The mean face with painted skin.

    Args:
        side: of the images, px.
        yaw_deg: of the head.
        seed: of skin, hair, light and background.
    """

    def __init__(self, side: int = 320, yaw_deg: float = 0.0, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.head = load_open_head()
        atlas = Atlas(self.head, 320)
        self._painter = Painter(atlas, ambient_occlusion(self.head))
        self._wardrobe = Wardrobe(atlas)
        self._face = self._wardrobe.painted(random)
        self._light = random_light(random)
        self._ground = random_backdrop(side, random)
        linear = FLIP_Y_MATRIX @ matrix_from_euler(np.array([yaw_deg, 0.0, 0.0])) * (side / 280)
        centre = linear @ self.head.landmark_points.mean.mean(axis=0)
        self._pose = np.column_stack([linear, [*((side - 1) / 2 - centre[:2]), 0.0]])

    def draw(self, **units: float) -> UInt8:
        """The image (side, side, 3) uint8 RGB of the face with some units; the same for the same units."""
        expression = np.zeros((1, len(self.head.expression_names)), np.float32)
        for name, value in units.items():
            expression[0, self.head.expression_names.index(name)] = value
        shape = self.head.decode(np.zeros((1, 80), np.float32), expression)[0]
        scalp, style, random = self._wardrobe.scalp, self._face.style, np.random.default_rng(1)
        raised, extras = scalp.raise_surface(shape, style, random), scalp.extras(shape, style, random)
        scene = Scene(raised, self._face.texture, extras, self._pose, *self._light, 0.5, self._ground, self._face.inner)
        image = self._painter.draw(scene)[0]
        return np.ascontiguousarray((255 * np.sqrt(np.clip(image, 0, 1))).astype(np.uint8))
