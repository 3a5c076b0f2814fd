"""The source of a replacement: skin texture, its confidence and the identity coefficients of one person."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Float32, UInt8
from ddfa.errors import NoFaceError
from ddfa.faces import Faces
from ddfa.geometry.camera import FLIP_Y
from ddfa.images import MAX_PIXELS, read_image
from ddfa.occlusion.face_region import FaceSurface, surface_of
from ddfa.occlusion.skin_colour import ColourBasis, contrast, log_colours
from ddfa.one_person import views_for_texture
from ddfa.person.fusion import fuse
from ddfa.raster.blending import blend, smoothstep
from ddfa.raster.sampling import sample
from ddfa.replace.appearance.skin_texture import SKIN_LEVEL, faded, unwrap_skin, whole_skin
from ddfa.replace.eyes import eyes_of, openness, paint_eyes
from ddfa.replace.target import TargetFace
from ddfa.texture.atlas import atlas_of, atlas_pixels

_SIZE: Final = 1024  # px, side of the texture: about 4 px per mm of the face
_TRUST: Final = (0.3, 0.85)  # confidence between which the source's skin fades in
_SPOT: Final = 0.006  # fraction of the atlas side: blur before colours are sampled
_FINE: Final = 0.0015  # the same where detail is wanted
_OPEN_MM: Final = 2.0  # gap between the lips above which the mouth counts as open


@dataclass(frozen=True, eq=False)
class Source:
    """A source face.

    Attributes:
        surface: the face of the head model.
        texture: (S, S, 3) uint8 RGB on the head's atlas, row 0 at v = 1, without light; eyeballs included.
        known: (K,) float32 in [0, 1], confidence of the texture; where it is 0 the target keeps its own skin.
        identity: (I,) float32 coefficients of the head model.
        eyes: (2,) float32 in [0, 1], how well the texture shows the left and the right eye.
        height: of the face in its photo, px; the largest of several photos.
        hardness: of the light, see `TargetFace.hardness`; the smallest of several photos.
        turns_deg: (n,) float32 turn of the head in each of the photos used, `Faces.turn_nod_tilt_deg`.
    """

    surface: FaceSurface
    texture: UInt8
    known: Float32
    identity: Float32
    eyes: Float32
    height: float
    hardness: float
    turns_deg: Float32

    @cached_property
    def colours(self) -> Float32:
        """(K, 3) float32, logarithms of the colours at the vertices, blurred."""
        return self._at_vertices(_SPOT)

    @cached_property
    def smooth(self) -> Float32:
        """(K, 3) float32, logarithms of the smooth skin colour (`ColourBasis`)."""
        colour_basis = ColourBasis(self.surface)
        basis = colour_basis(self.surface.normals(self.surface.mm * FLIP_Y))
        fitted = colour_basis.fit(basis, self.colours, self.surface.plain * (0.02 + self.known))
        return np.asarray(basis @ fitted, np.float32)

    @cached_property
    def contrast(self) -> Float32:
        """(2,) float32, deviation of brightness and hue from `smooth`."""
        return contrast(self._at_vertices(_FINE) - self.smooth, self.surface.plain * (0.02 + self.known))

    def _at_vertices(self, spot: float) -> Float32:
        size = self.texture.shape[0]
        soft = cv2.GaussianBlur(self.texture, (0, 0), spot * size)
        return log_colours(sample(soft, atlas_pixels(self.surface.vertex_uv, size)))


def select_face(faces: Faces, index: int | None, name: str) -> Faces:
    """Select one face of an image, or all.

    Args:
        faces: the faces of the image, the largest first.
        index: which of them, from 0; None for all.
        name: what the error calls the image.

    Raises:
        NoFaceError: there is no such face.
    """
    if index is None and len(faces):
        return faces
    if index is not None and index < len(faces):
        return faces.single(index)
    if not len(faces):
        raise NoFaceError(f"{name} shows no face: choose another file")
    raise NoFaceError(f"{name} shows only {len(faces)} (0 is the largest): choose another face or file")


def load_source(
    aligner: FaceAligner, photos: Sequence[Path], index: int | Sequence[int] = 0, max_pixels: int = MAX_PIXELS
) -> Source:
    """Read photos of one person as a source.

    Args:
        aligner: finds the faces.
        photos: files.
        index: which face of each photo, 0 is the largest.
        max_pixels: maximum width times height of a photo.

    Raises:
        ImageError: a photo cannot be read.
        NoFaceError: a photo has no such face.
    """
    images = [read_image(photo, max_pixels) for photo in photos]
    indices = [index] * len(photos) if isinstance(index, int) else index
    named = zip(images, indices, photos, strict=True)
    faces = [select_face(aligner(image, refine=True), number, str(photo)) for image, number, photo in named]
    return source_from_photos(images, faces)


def source_from_photos(photos: Sequence[UInt8], faces: Sequence[Faces], size: int = _SIZE) -> Source:
    """Build a source from one or several photos of a person.

    Args:
        photos: (H, W, 3) uint8 RGB each.
        faces: the person's face in each of them.
        size: side S of the texture, px.

    Returns:
        The source; its identity is fused from the photos (`ddfa.person.fusion`), and those whose shape is somebody
        else's are left out.

    Raises:
        ModelError: the faces' head model has no texture map.
    """
    fused = fuse(faces)
    chosen = views_for_texture(fused)
    photos, faces = [photos[view] for view in chosen], [fused.faces[view] for view in chosen]
    surface = surface_of(faces[0].head)
    colour_basis, atlas = ColourBasis(surface), atlas_of(surface.head, size)
    views = [TargetFace.of(surface, colour_basis, photo, face, size) for photo, face in zip(photos, faces, strict=True)]
    seen = [unwrap_skin(view, atlas, _lips_mm(face) > _OPEN_MM) for view, face in zip(views, faces, strict=True)]
    texture, known = whole_skin(seen, atlas)
    trust = smoothstep(faded(known, atlas), *_TRUST)
    at_vertices = sample(trust, atlas_pixels(surface.vertex_uv, size))[:, 0]
    shown = np.array([openness(face) * (not view.with_glasses) for view, face in zip(views, faces, strict=True)])
    best = int(np.argmax(shown.sum(axis=1)))
    height, hardness = max(view.size for view in views), min(view.hardness for view in views)
    turns = np.array([face.turn_nod_tilt_deg[0, 0] for face in faces], np.float32)
    source = Source(surface, texture, at_vertices, fused.identity, shown[best], height, hardness, turns)
    # Where no photo shows the skin, it has its smooth colour.
    smooth = np.zeros((surface.head.vertices, 3), np.float32)
    smooth[surface.vertices] = source.smooth
    plain = np.clip(255 * np.exp(atlas.spread(smooth)), 0, 255)
    whole = blend(plain, texture.astype(np.float32), trust)
    lit = views[best].lit(views[best].normals)
    around = 255 * np.exp([lit[lids].mean(axis=0) for lids in eyes_of(surface).lids])
    paint_eyes(photos[best], faces[best], atlas, around, whole, SKIN_LEVEL)
    return replace(source, texture=np.asarray(np.rint(whole), np.uint8))


def _lips_mm(face: Faces) -> float:
    """Largest gap between the lips of one face, mm."""
    points = face.head.decode_landmarks(face.identity, face.expression)[0]
    return float(np.linalg.norm(points[[61, 62, 63]] - points[[67, 66, 65]], axis=1).max())
