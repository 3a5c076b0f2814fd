"""All output files of one image, by kind: the results are computed once and shared between the files."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.draw.styles import DEFAULT_STYLE, OverlayStyle
from ddfa.export.kinds import KINDS
from ddfa.export.mesh import mesh_points
from ddfa.faces import Faces
from ddfa.files import check_existing
from ddfa.regress.crop import cut_crops

if TYPE_CHECKING:  # imported when a map is drawn: Numba is slow to load
    from ddfa.raster.maps import FaceMaps
    from ddfa.texture.unwrap import HeadView, Texture


@dataclass(frozen=True)
class FaceFiles:
    """Writes the files of one photo.

    Attributes:
        faces: the faces.
        image: (H, W, 3) uint8 RGB, the photo.
        image_path: path of the photo, as the user named it.
        shown: the faces in the pose and expression of the meshes (PLY, OBJ, MAT, GLB, USD), if not those of the photo.
        texture_size: side of the texture in px.
        delight: remove shading from the texture.
        keep_occluders: paint hair, hats, glasses and hands on the texture, see `unwrap_texture`.
        with_material: an OBJ file comes with a material that shows the file of kind "texture".
        style: what the overlay shows.
        landmarks: set of landmarks in .pts and COCO files, see `ddfa.head.landmark_sets`.
    """

    faces: Faces
    image: UInt8
    image_path: Path
    shown: Faces | None = None
    texture_size: int = 1024
    delight: bool = False
    keep_occluders: bool = False
    with_material: bool = False
    style: OverlayStyle = DEFAULT_STYLE
    landmarks: str = "ibug68"

    def write(self, kind: str, index: int, stem: Path) -> Path:
        """Write one file.

        Args:
            kind: one of `ddfa.export.kinds.KINDS`.
            index: which face, from 0; not used by kinds of which there is one file per image.
            stem: the path without the ending of the kind.

        Returns:
            The file: `stem` with the ending of the kind.

        Raises:
            OutputError: if it cannot be written.
            ModelError: if the head model lacks what the kind needs.
        """
        if kind not in KINDS:
            raise ValueError(f"unknown kind of file '{kind}'")
        path = stem.with_name(stem.name + KINDS[kind].ending)
        KINDS[kind].write(self, index, path)
        return path

    def write_all(self, kinds: Sequence[str], stem: Path, *, overwrite: bool = True) -> list[Path]:
        """Write files of all faces: STEM_0.ply, STEM_1.ply, STEM_overlay.jpg and so on.

        Args:
            kinds: of `ddfa.export.kinds.KINDS`.
            stem: folder and first part of the names.
            overwrite: whether files that exist are replaced; otherwise one that exists is an error.

        Returns:
            The files, face by face, then those of the whole image.

        Raises:
            OutputError: if one cannot be written, or exists.
            ModelError: if the head model lacks what a kind needs.
        """
        check_existing(overwrite, self._paths(kinds, stem))
        per_face = [kind for kind in kinds if KINDS[kind].per == "face"]
        per_image = [kind for kind in kinds if KINDS[kind].per == "image"]
        stems = [stem.with_name(f"{stem.name}_{index}") for index in range(len(self.faces))]
        written = [self.write(kind, index, stems[index]) for index in range(len(self.faces)) for kind in per_face]
        return written + [self.write(kind, 0, stem) for kind in per_image]

    def _paths(self, kinds: Sequence[str], stem: Path) -> list[Path]:
        """The files that `write_all` would write."""
        each = {"face": [f"{stem.name}_{index}" for index in range(len(self.faces))], "image": [stem.name]}
        return [stem.with_name(name + KINDS[kind].ending) for kind in kinds for name in each[KINDS[kind].per]]

    def face(self, index: int) -> Faces:
        """Return one face; the meshes of all are decoded together first, once for all files."""
        _ = self.faces.vertices
        return self.faces.single(index)

    def maps(self, index: int) -> "FaceMaps":
        """Return the maps of one face; those of the last one are kept."""
        from ddfa.raster.maps import FaceMaps

        if index not in self._maps:
            self._maps.clear()
            self._maps[index] = FaceMaps(self.face(index))
        return self._maps[index]

    @cached_property
    def _maps(self) -> "dict[int, FaceMaps]":
        return {}

    @cached_property
    def scene(self) -> "FaceMaps":
        """The maps of all faces in one image."""
        from ddfa.raster.maps import FaceMaps

        return self.maps(0) if len(self.faces) == 1 else FaceMaps(self.faces)

    def texture(self, index: int) -> "Texture":
        """Return the texture of one face; that of the last one is kept."""
        from ddfa.texture.unwrap import unwrap_texture

        if index not in self._textures:
            self._textures.clear()
            self._textures[index] = unwrap_texture(
                self.image,
                self.face(index),
                self.texture_size,
                delight=self.delight,
                keep_occluders=self.keep_occluders,
                view=self._view(index),
            )
        return self._textures[index]

    def _view(self, index: int) -> "HeadView":
        """The head of one face in the photo; that of the last one is kept."""
        from ddfa.texture.atlas import atlas_of
        from ddfa.texture.unwrap import head_view

        if index not in self._views:
            self._views.clear()
            face = self.face(index)
            self._views[index] = head_view(self.image, face, atlas_of(face.head, self.texture_size))
        return self._views[index]

    @cached_property
    def _views(self) -> "dict[int, HeadView]":
        return {}

    def validity8(self, index: int) -> UInt8:
        """Return the validity of the texture, (S, S, 3) uint8: 255 visible, 127 mirrored, 0 inpainted."""
        grey = (255 * self.texture(index).validity).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)

    @cached_property
    def _textures(self) -> "dict[int, Texture]":
        return {}

    def paf(self, index: int, kernel: int = 3) -> UInt8:
        """Return the pose adaptive feature of one face, see `ddfa.raster.paf`."""
        from ddfa.raster.paf import pose_adaptive_feature

        return pose_adaptive_feature(self.crop(index), self.face(index), kernel)

    def frontal(self, index: int) -> UInt8:
        """Return the photo with one face as meshes show it, see `ddfa.texture.frontal`."""
        from ddfa.texture.frontal import frontal_photo
        from ddfa.texture.unwrap import unwrap_texture

        shown = self.meshes.single(index) if self.shown is not None else self.face(index).without(pose=True)
        # It is put together with the photo: with its light, and with the glasses and hair that the photo shows.
        face, view = self.face(index), self._view(index)
        texture = unwrap_texture(self.image, face, self.texture_size, keep_occluders=True, view=view)
        return frontal_photo(self.image, face, shown, texture)

    @property
    def meshes(self) -> Faces:
        """The faces as meshes show them."""
        return self.faces if self.shown is None else self.shown

    def points(self, index: int) -> Float32:
        """Return the mesh of one face as viewers show it, (V, 3) float32, see `mesh_points`."""
        return mesh_points(self.meshes.vertices[index], self.faces.image_size[1])

    def crop(self, index: int) -> UInt8:
        """Crop one face as for the network.

        Args:
            index: which face, from 0.

        Returns:
            (S, S, 3) uint8 RGB.
        """
        face = self.faces.single(index)
        crop: UInt8 = cut_crops(self.image, face.roi, face.crop_size, face.convention)[0]
        return crop


def output_names(photos: Sequence[Path]) -> list[str]:
    """Name the output files of photos, each differently.

    Args:
        photos: files, perhaps of several folders and formats.

    Returns:
        The stem of each photo; where an earlier photo has the same, the next number that is free follows: x, x-2.
    """
    names: list[str] = []
    stems = [photo.stem.casefold() for photo in photos]  # some file systems do not distinguish "A" from "a"
    taken = set(stems)
    for index, photo in enumerate(photos):
        name = photo.stem
        if stems[index] in stems[:index]:
            name = next(name for n in count(2) if (name := f"{photo.stem}-{n}").casefold() not in taken)
            taken.add(name.casefold())
        names.append(name)
    return names
