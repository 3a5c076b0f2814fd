"""Every file of a face behind one call."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ddfa.arrays import Float32, UInt8
from ddfa.export.mesh import mesh_points, write_mat, write_obj, write_ply
from ddfa.export.record import face_record, write_record
from ddfa.export.text import write_landmarks
from ddfa.faces import Faces
from ddfa.images import write_image
from ddfa.regress.bundle import Bundle
from ddfa.regress.crop import cut_crops

FACE_KINDS: Final = ("ply", "obj", "mat", "txt", "json", "crop")


@dataclass(frozen=True)
class FaceFiles:
    """Writes what was found in one photo.

    Attributes:
        faces: the faces.
        bundle: the model that aligned them.
        image: (H, W, 3) uint8 RGB, the photo.
        image_path: where it lies, as the user named it.
    """

    faces: Faces
    bundle: Bundle
    image: UInt8
    image_path: Path

    def write(self, kind: str, index: int, stem: Path) -> Path:
        """Write one file of one face.

        Args:
            kind: one of `FACE_KINDS`.
            index: which face, from 0.
            stem: the path without its suffix.

        Returns:
            The file: `stem` with the kind as suffix, or `STEM_crop.png`.

        Raises:
            OutputError: if it cannot be written.
        """
        head = self.faces.head
        path = stem.with_name(f"{stem.name}_crop.png" if kind == "crop" else f"{stem.name}.{kind}")
        match kind:
            case "ply":
                write_ply(path, self.points(index), head.triangles)
            case "obj":
                write_obj(path, self.points(index), head.triangles, head.uv, head.uv_triangles)
            case "mat":
                write_mat(path, self.faces.vertices[index])
            case "txt":
                write_landmarks(path, self.faces.landmarks68[index])
            case "json":
                write_record(path, face_record(self.faces, index, self.bundle, self.image_path))
            case "crop":
                write_image(path, self.crop(index))
            case _:
                raise ValueError(f"unknown kind of file '{kind}'")
        return path

    def points(self, index: int) -> Float32:
        """Return the mesh of one face as viewers show it, (V, 3) float32, see `mesh_points`."""
        return mesh_points(self.faces.vertices[index], self.faces.image_size[1])

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
