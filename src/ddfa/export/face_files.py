"""Every file of a face behind one call."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.export.mesh import mesh_points, write_mat, write_mtl, write_obj, write_ply
from ddfa.export.rasters import write_array, write_png16
from ddfa.export.record import face_record, write_record
from ddfa.export.text import write_landmarks
from ddfa.faces import Faces
from ddfa.images import write_image
from ddfa.raster.visibility import vertex_visibility
from ddfa.regress.bundle import Bundle
from ddfa.regress.crop import cut_crops

if TYPE_CHECKING:  # loaded when a map is drawn: Numba takes its time
    from ddfa.raster.maps import FaceMaps
    from ddfa.texture.unwrap import Texture


@dataclass(frozen=True)
class FaceFiles:
    """Writes what was found in one photo.

    Attributes:
        faces: the faces.
        bundle: the model that aligned them.
        image: (H, W, 3) uint8 RGB, the photo.
        image_path: where it lies, as the user named it.
        shown: the faces as meshes (PLY, OBJ, MAT, GLB, USD) show them, if not as in the photo.
        texture_size: side of the texture in px.
        delight: take the shading out of the texture.
        with_material: an OBJ file comes with a material that shows the file of kind "texture".
    """

    faces: Faces
    bundle: Bundle
    image: UInt8
    image_path: Path
    shown: Faces | None = None
    texture_size: int = 1024
    delight: bool = False
    with_material: bool = False

    def write(self, kind: str, index: int, stem: Path) -> Path:
        """Write one file of one face.

        Args:
            kind: one of `FACE_KINDS`.
            index: which face, from 0.
            stem: the path without its suffix.

        Returns:
            The file: `stem` with the ending of the kind.

        Raises:
            OutputError: if it cannot be written.
            ModelError: if the head model lacks what the kind needs.
        """
        if kind not in _WRITERS:
            raise ValueError(f"unknown kind of file '{kind}'")
        ending, write = _WRITERS[kind]
        path = stem.with_name(stem.name + ending)
        write(self, index, path)
        return path

    def maps(self, index: int) -> "FaceMaps":
        """Return the maps of one face; those of the last one are kept."""
        from ddfa.raster.maps import FaceMaps

        if index not in self._maps:
            self._maps.clear()
            self._maps[index] = FaceMaps(self.faces[index])
        return self._maps[index]

    @cached_property
    def _maps(self) -> "dict[int, FaceMaps]":
        return {}

    @cached_property
    def scene(self) -> "FaceMaps":
        """The maps of all faces in one picture."""
        from ddfa.raster.maps import FaceMaps

        return FaceMaps(self.faces)

    def texture(self, index: int) -> "Texture":
        """Return the texture of one face; that of the last one is kept."""
        from ddfa.texture.unwrap import unwrap_texture

        if index not in self._textures:
            self._textures.clear()
            self._textures[index] = unwrap_texture(
                self.image, self.faces[index], self.texture_size, delight=self.delight
            )
        return self._textures[index]

    def validity8(self, index: int) -> UInt8:
        """Return the validity of the texture, (S, S, 3) uint8: 255 seen, 127 mirrored, 0 in-painted."""
        grey = (255 * self.texture(index).validity).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)

    @cached_property
    def _textures(self) -> "dict[int, Texture]":
        return {}

    def paf(self, index: int, kernel: int = 3) -> UInt8:
        """Return the pose adaptive feature of one face, see `ddfa.raster.paf`."""
        from ddfa.raster.paf import pose_adaptive_feature

        return pose_adaptive_feature(self.crop(index), self.faces[index], kernel)

    def frontal(self, index: int) -> UInt8:
        """Return the photo with one face as meshes show it, see `ddfa.texture.frontal`."""
        from ddfa.texture.frontal import frontal_photo

        shown = self.meshes[index] if self.shown is not None else self.faces[index].without(pose=True)
        return frontal_photo(self.image, self.faces[index], shown, self.texture(index))

    @property
    def meshes(self) -> Faces:
        """The faces as meshes show them."""
        return self.faces if self.shown is None else self.shown

    def points(self, index: int) -> Float32:
        """Return the mesh of one face as viewers show it, (V, 3) float32, see `mesh_points`."""
        return mesh_points(self.meshes.vertices[index], self.faces.image_size[1])

    def crop(self, index: int) -> UInt8:
        """Cut what the network saw of one face.

        Args:
            index: which face, from 0.

        Returns:
            (S, S, 3) uint8 RGB.
        """
        face = self.faces[index]
        crop: UInt8 = cut_crops(self.image, face.roi, face.crop_size, face.convention)[0]
        return crop


def _write_obj(files: FaceFiles, index: int, path: Path) -> None:
    head = files.faces.head
    material = path.stem + ".mtl" if files.with_material and head.uv is not None else None
    if material is not None:
        write_mtl(path.with_name(material), path.stem + _WRITERS["texture"].ending)
    write_obj(path, files.points(index), head.triangles, head.uv, head.uv_triangles, material=material)


def _write_glb(files: FaceFiles, index: int, path: Path) -> None:
    from ddfa.export.glb import write_glb

    write_glb(path, files.meshes[index], files.texture(index))


def _write_usd(files: FaceFiles, index: int, path: Path) -> None:
    from ddfa.export.usd import write_usdz

    write_usdz(path, files.meshes[index], files.texture(index))


class _Kind(NamedTuple):
    ending: str
    write: "_Writer"


_Writer: TypeAlias = Callable[[FaceFiles, int, Path], object]

# Every kind of file: what its name ends in, and who writes it.
_WRITERS: Final[dict[str, _Kind]] = {
    "ply": _Kind(".ply", lambda f, i, path: write_ply(path, f.points(i), f.faces.head.triangles)),
    "obj": _Kind(".obj", _write_obj),
    "mat": _Kind(".mat", lambda f, i, path: write_mat(path, f.meshes.vertices[i])),
    "txt": _Kind(".txt", lambda f, i, path: write_landmarks(path, f.faces.landmarks68[i])),
    "json": _Kind(".json", lambda f, i, path: write_record(path, face_record(f.faces, i, f.bundle, f.image_path))),
    "crop": _Kind("_crop.png", lambda f, i, path: write_image(path, f.crop(i))),
    "glb": _Kind(".glb", _write_glb),
    "usd": _Kind(".usdz", _write_usd),
    "texture": _Kind("_texture.png", lambda f, i, path: write_image(path, f.texture(i).image)),
    "frontal": _Kind("_frontal.png", lambda f, i, path: write_image(path, f.frontal(i))),
    "validity": _Kind("_validity.png", lambda f, i, path: write_image(path, f.validity8(i))),
    "depth": _Kind("_depth.png", lambda f, i, path: write_png16(path, f.maps(i).depth16())),
    "depth8": _Kind("_depth8.png", lambda f, i, path: write_image(path, f.maps(i).depth8())),
    "depth32": _Kind("_depth.npy", lambda f, i, path: write_array(path, f.maps(i).depth)),
    "normals": _Kind("_normals.png", lambda f, i, path: write_image(path, f.maps(i).normals8())),
    "pncc": _Kind("_pncc.png", lambda f, i, path: write_image(path, f.maps(i).pncc())),
    "uvmap": _Kind("_uvmap.png", lambda f, i, path: write_png16(path, f.maps(i).uv16())),
    "regions": _Kind("_regions.png", lambda f, i, path: write_image(path, f.maps(i).regions())),
    "visibility": _Kind("_visibility.npy", lambda f, i, path: write_array(path, vertex_visibility(f.faces[i]))),
    "paf": _Kind("_paf.png", lambda f, i, path: write_image(path, f.paf(i))),
}
FACE_KINDS: Final = tuple(_WRITERS)
