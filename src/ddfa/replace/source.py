"""The person whose face is put on: the texture of the skin, what of it is known, and the shape of the head."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.faces import Faces
from ddfa.geometry.camera import FLIP_Y
from ddfa.raster.blending import smoothstep
from ddfa.raster.sampling import sample
from ddfa.replace.appearance.colour import ToneBasis, contrast, log_colours
from ddfa.replace.appearance.skin_texture import faded, unwrap_skin, whole_skin
from ddfa.replace.face_region import FaceSurface
from ddfa.replace.target import TargetFace
from ddfa.texture.atlas import atlas_of, atlas_places

_SIZE: Final = 1024  # px of a texture: the face then has some 4 px per mm
_TRUST: Final = (0.3, 0.85)  # how well a place must be known for its skin to be put on
_SPOT: Final = 0.006  # of the atlas' side: what counts as the colour of a place
_FINE: Final = 0.0015  # as much for details
_OPEN_MM: Final = 2.0  # between the lips


@dataclass(frozen=True, eq=False)
class Source:
    """A source face.

    Attributes:
        surface: the face of the head model.
        texture: (S, S, 3) uint8 RGB on the head's atlas, row 0 at v = 1.
        known: (K,) float32 in [0, 1], where the texture shows skin; elsewhere the target keeps its own.
        identity: (I,) float32 coefficients of the head model.
    """

    surface: FaceSurface
    texture: UInt8
    known: Float32
    identity: Float32

    @cached_property
    def colours(self) -> Float32:
        """(K, 3) float32, logarithms of the colours, without detail."""
        return self._at_vertices(_SPOT)

    @cached_property
    def smooth(self) -> Float32:
        """(K, 3) float32, logarithms of the colours of bare skin."""
        tone = ToneBasis(self.surface)
        basis = tone(self.surface.normals(self.surface.mm * FLIP_Y))
        return np.asarray(basis @ tone.fit(basis, self.colours, self.surface.plain * (0.02 + self.known)), np.float32)

    @cached_property
    def contrast(self) -> Float32:
        """(2,) float32, spread of brightness and hue about `smooth`."""
        return contrast(self._at_vertices(_FINE) - self.smooth, self.surface.plain * (0.02 + self.known))

    def _at_vertices(self, spot: float) -> Float32:
        size = self.texture.shape[0]
        soft = cv2.GaussianBlur(self.texture, (0, 0), spot * size)
        return log_colours(sample(soft, atlas_places(self.surface.vertex_uv, size)))


def source_from_photos(photos: Sequence[UInt8], faces: Sequence[Faces], size: int = _SIZE) -> Source:
    """Take one person's face from photos.

    Args:
        photos: (H, W, 3) uint8 RGB each.
        faces: the person's face in each of them.
        size: side S of the texture, px.

    Returns:
        The source; its shape is the mean of those seen.

    Raises:
        ModelError: the faces' head model has no texture map.
    """
    surface = FaceSurface(faces[0].head)
    tone, atlas = ToneBasis(surface), atlas_of(surface.head, size)
    views = [TargetFace.of(surface, tone, photo, face, size) for photo, face in zip(photos, faces, strict=True)]
    seen = [unwrap_skin(view, atlas, _lips_mm(face) > _OPEN_MM) for view, face in zip(views, faces, strict=True)]
    texture, known = whole_skin(seen, atlas)
    trust = smoothstep(sample(faded(known, atlas), atlas_places(surface.vertex_uv, size))[:, 0], *_TRUST)
    return Source(surface, texture, trust, np.mean([face.identity[0] for face in faces], axis=0))


def _lips_mm(face: Faces) -> float:
    """How far the lips of one face are apart."""
    points = face.head.decode_landmarks(face.identity, face.expression)[0]
    return float(np.linalg.norm(points[[61, 62, 63]] - points[[67, 66, 65]], axis=1).max())
