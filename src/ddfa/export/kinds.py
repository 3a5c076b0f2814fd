"""The registry of output files: what `ddfa align --save`, `ddfa decode --save` and the service's `parts` choose from.

A new kind of file is one entry here; the commands, their help and the service read this table.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from ddfa.errors import OutputError
from ddfa.export.mesh import write_mat, write_mtl, write_obj, write_ply
from ddfa.export.points import write_coco, write_pts
from ddfa.export.rasters import write_array, write_png16
from ddfa.export.record import face_record, write_record
from ddfa.export.table import write_csv, write_parquet
from ddfa.export.text import write_landmarks
from ddfa.images import write_image
from ddfa.raster.visibility import vertex_visibility

if TYPE_CHECKING:
    from ddfa.export.face_files import FaceFiles

Writer: TypeAlias = Callable[["FaceFiles", int, Path], object]
Subject: TypeAlias = Literal["face", "image"]
_LONGEST_NAME: Final = 80  # characters of unknown names quoted in an error


class FileKind(NamedTuple):
    """One kind of output file.

    Attributes:
        ending: what follows the stem in the file's name, suffix included.
        help: one line for `--help`.
        write: writes the file; called with the results, the index of the face (0 for an image's file) and the path.
        per: whether there is one file per face or one per image.
        needs_image: whether the pixels of the image are read, not only the faces.
        module: an optional library that must be installed.
    """

    ending: str
    help: str
    write: Writer
    per: Subject = "face"
    needs_image: bool = False
    module: str | None = None


def parse_kinds(
    words: str | Iterable[str], known: Collection[str] | None = None, *, option: str = "--save", optional: bool = False
) -> tuple[str, ...]:
    """Parse a list of kinds.

    Args:
        words: kinds, separated by commas if in one string; upper or lower case.
        known: the kinds to choose from; all by default.
        option: what the user calls the list, for the error.
        optional: whether the list may be empty.

    Returns:
        Each kind once, in the order given.

    Raises:
        OutputError: a kind is unknown, or none is named.
    """
    known = KINDS if known is None else known
    parts = words.split(",") if isinstance(words, str) else words
    kinds = tuple(dict.fromkeys(word.strip().lower() for word in parts if word.strip()))
    unknown = ", ".join(kind for kind in kinds if kind not in known)
    if unknown or not (kinds or optional):
        raise OutputError(f"{option} does not know '{unknown[:_LONGEST_NAME]}': choose from {','.join(known)}")
    return kinds


def require_modules(kinds: Iterable[str]) -> None:
    """Import the optional libraries that kinds need, so that a missing one is reported before any work.

    Raises:
        ModuleNotFoundError: one is not installed.
    """
    for kind in kinds:
        if (module := KINDS[kind].module) is not None:
            import_module(module)


def kinds_help() -> str:
    """Describe every kind for the help of `--save`."""
    groups = {"Per face": FACE_KINDS, "Per photo": IMAGE_KINDS}
    lists = (f"{name}: {'; '.join(f'{kind} ({KINDS[kind].help})' for kind in kinds)}" for name, kinds in groups.items())
    return f"kinds of files, separated by commas. {'. '.join(lists)}."


def _write_obj(files: "FaceFiles", index: int, path: Path) -> None:
    head = files.faces.head
    material = path.stem + ".mtl" if files.with_material and head.uv is not None else None
    if material is not None:
        write_mtl(path.with_name(material), path.stem + KINDS["texture"].ending)
    write_obj(path, files.points(index), head.triangles, head.uv, head.uv_triangles, material=material)


def _write_glb(files: "FaceFiles", index: int, path: Path) -> None:
    from ddfa.export.glb import write_glb

    write_glb(path, files.meshes.single(index), files.texture(index))


def _write_light(files: "FaceFiles", index: int, path: Path) -> None:
    from ddfa.export.glb import write_glb

    write_glb(path, files.meshes.single(index), blendshapes=False)


def _write_usd(files: "FaceFiles", index: int, path: Path) -> None:
    from ddfa.export.usd import write_usdz

    write_usdz(path, files.meshes.single(index), files.texture(index))


def _write_overlay(files: "FaceFiles", _: int, path: Path) -> None:
    from ddfa.draw.overlay import draw_overlay

    write_image(path, draw_overlay(files.image, files.faces, files.style))


def _write_sheet(files: "FaceFiles", _: int, path: Path) -> None:
    from ddfa.draw.contact_sheet import draw_sheet

    write_image(path, draw_sheet(files.image, files.faces))


# fmt: off
KINDS: Final[Mapping[str, FileKind]] = {
    "ply": FileKind(".ply", "mesh", lambda f, i, path: write_ply(path, f.points(i), f.faces.head.triangles)),
    "obj": FileKind(".obj", "mesh with texture coordinates", _write_obj),
    "mat": FileKind(".mat", "vertices for MATLAB", lambda f, i, path: write_mat(path, f.meshes.vertices[i])),
    "txt": FileKind(".txt", "68 landmarks", lambda f, i, path: write_landmarks(path, f.faces.landmarks68[i])),
    "pts": FileKind(".pts", "landmarks in the format of 300-W, see --landmarks",
                    lambda f, i, path: write_pts(path, f.faces.single(i).landmarks(f.landmarks)[0])),
    "json": FileKind(".json", "everything but the mesh",
                     lambda f, i, path: write_record(path, face_record(f.faces, i, f.image_path))),
    "crop": FileKind("_crop.png", "input of the network", lambda f, i, path: write_image(path, f.crop(i)),
                     needs_image=True),
    "glb": FileKind(".glb", "textured head with 52 blendshapes, open head", _write_glb, needs_image=True),
    "light": FileKind("_light.glb", "the same head without texture and blendshapes", _write_light),
    "usd": FileKind(".usdz", "the same for USD", _write_usd, needs_image=True, module="pxr"),
    "texture": FileKind("_texture.png", "from the photo, open head",
                        lambda f, i, path: write_image(path, f.texture(i).image), needs_image=True),
    "frontal": FileKind("_frontal.png", "the photo with the head turned to the camera, open head",
                        lambda f, i, path: write_image(path, f.frontal(i)), needs_image=True),
    "validity": FileKind("_validity.png", "where the texture comes from, open head",
                         lambda f, i, path: write_image(path, f.validity8(i)), needs_image=True),
    "depth": FileKind("_depth.png", "16-bit depth map", lambda f, i, path: write_png16(path, f.maps(i).depth16())),
    "depth8": FileKind("_depth8.png", "8-bit depth map", lambda f, i, path: write_image(path, f.maps(i).depth8())),
    "depth32": FileKind("_depth.npy", "depth map in px", lambda f, i, path: write_array(path, f.maps(i).depth)),
    "normals": FileKind("_normals.png", "normal map", lambda f, i, path: write_image(path, f.maps(i).normals8())),
    "pncc": FileKind("_pncc.png", "projected normalised coordinate code",
                     lambda f, i, path: write_image(path, f.maps(i).pncc())),
    "uvmap": FileKind("_uvmap.png", "UV coordinates", lambda f, i, path: write_png16(path, f.maps(i).uv16())),
    "regions": FileKind("_regions.png", "parts of the head", lambda f, i, path: write_image(path, f.maps(i).regions())),
    "visibility": FileKind("_visibility.npy", "visible vertices",
                           lambda f, i, path: write_array(path, vertex_visibility(f.face(i)))),
    "paf": FileKind("_paf.png", "pose adaptive feature", lambda f, i, path: write_image(path, f.paf(i)),
                    needs_image=True),
    "overlay": FileKind("_overlay.jpg", "all faces drawn over the photo, see --style", _write_overlay, "image",
                        needs_image=True),
    "sheet": FileKind("_sheet.jpg", "contact sheet of every style", _write_sheet, "image", needs_image=True),
    "csv": FileKind(".csv", "table of all faces, with the columns of OpenFace",
                    lambda f, _, path: write_csv(path, f.faces), "image"),
    "parquet": FileKind(".parquet", "the same table", lambda f, _, path: write_parquet(path, f.faces), "image",
                        module="pyarrow"),
    "coco": FileKind("_coco.json", "landmarks of all faces as COCO keypoints, see --landmarks",
                     lambda f, _, path: write_coco(path, f.faces, f.image_path.name, f.landmarks), "image"),
    "scene_depth": FileKind("_depth.png", "16-bit depth map of all faces",
                            lambda f, _, path: write_png16(path, f.scene.depth16()), "image"),
    "scene_depth32": FileKind("_depth.npy", "depth map of all faces in px",
                              lambda f, _, path: write_array(path, f.scene.depth), "image"),
    "scene_pncc": FileKind("_pncc.png", "PNCC of all faces", lambda f, _, path: write_image(path, f.scene.pncc()),
                           "image"),
}
# fmt: on
FACE_KINDS: Final = tuple(name for name, kind in KINDS.items() if kind.per == "face")
IMAGE_KINDS: Final = tuple(name for name, kind in KINDS.items() if kind.per == "image")
