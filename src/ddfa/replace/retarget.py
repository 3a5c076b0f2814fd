"""Retargeting: renders a textured open head with the pose and expression of a face."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.errors import ImageError
from ddfa.faces import Faces
from ddfa.head.model import HeadModel
from ddfa.images import SyntheticImage
from ddfa.occlusion.roi_canvas import RoiCanvas
from ddfa.raster.rasterize import interpolate, rasterize
from ddfa.texture.atlas import atlas_pixels
from ddfa.texture.unwrap import unwrap_texture
from ddfa.video.io.source import Frame
from ddfa.video.tracking.tracker import FaceTracker

PLAIN = (118, 122, 128)  # RGB of the plain background


class TexturedHead:
    """A textured head that faces animate.

    Args:
        head: a head with a texture map.
        texture: (S, S, 3) uint8 RGB on the head's atlas, row 0 at v = 1.
        identity: (I,) coefficients of the head's shape; None for the shape of the driving face.

    Raises:
        ModelError: the head has no texture map.
        ImageError: the texture is not square.
    """

    def __init__(self, head: HeadModel, texture: UInt8, identity: Float32 | None = None) -> None:
        uv, self._uv_triangles = head.require_texture("a textured head")
        if texture.shape[0] != texture.shape[1]:
            raise ImageError(
                f"a texture is square, not {texture.shape[1]} x {texture.shape[0]}: use one written by `ddfa align`"
            )
        self._head, self._texture, self._identity = head, texture, identity
        self._pixels = atlas_pixels(uv, texture.shape[0])

    @staticmethod
    def from_photo(image: UInt8, face: Faces) -> "TexturedHead":
        """Make the head of a person from a photo.

        Args:
            image: (H, W, 3) uint8 RGB.
            face: one face of it.

        Raises:
            ModelError: the head model of the face has no texture map.
        """
        return TexturedHead(face.head, unwrap_texture(image, face, keep_occluders=True).image, face.identity[0])

    def draw(self, synthetic: SyntheticImage, face: Faces) -> None:
        """Draw the head at the position of a face, with its pose and expression, in place.

        Args:
            synthetic: the image to draw into.
            face: one face of it.
        """
        image = synthetic.unmarked_pixels
        vertices = self._vertices(face)
        canvas = RoiCanvas.around(vertices, max(image.shape[:2]))
        height, width = canvas.size
        raster = rasterize(canvas.points(vertices), self._head.triangles, height, width)
        pixels = interpolate(raster, self._uv_triangles, self._pixels)
        drawn = cv2.remap(self._texture, pixels[..., 0], pixels[..., 1], cv2.INTER_LINEAR)
        inside = raster.mask.astype(np.float32)
        # The rasteriser does not antialias: soften the outline.
        edge = np.clip(2 * cv2.blur(inside, (3, 3)) - 1, 0, 1)
        canvas.paste(image, np.asarray(drawn, np.float32), np.asarray(edge * inside, np.float32))

    def _vertices(self, face: Faces) -> Float32:
        if self._identity is not None:
            parts = face.layout.split(face.params)
            face = replace(face, params=face.layout.join(parts.pose, self._identity[None], parts.expression))
        return np.asarray(face.vertices[0], np.float32)


class VideoRetargeter:
    """Animates a textured head by the largest face of a video.

    Args:
        head: the head.
        tracker: tracks and smooths the faces.
        over: draw the head over the frames instead of on a plain background.

    Attributes:
        replaced: number of frames so far in which the head is drawn.
    """

    def __init__(self, head: TexturedHead, tracker: FaceTracker, *, over: bool = False) -> None:
        self._head, self._tracker, self._over = head, tracker, over
        self.replaced = 0

    def frames(self, source: Iterable[Frame]) -> Iterator[tuple[SyntheticImage, float]]:
        """Draw the head in all frames.

        Args:
            source: the frames of a video.

        Yields:
            The synthetic frame and its time in seconds.
        """
        for frame in source:
            synthetic = SyntheticImage(frame.image if self._over else np.full_like(frame.image, PLAIN))
            drivers = [face.faces for face in self._tracker(frame) if face.id == 0]
            for driver in drivers:
                self._head.draw(synthetic, driver)
            self.replaced += bool(drivers)
            yield synthetic, frame.time
