"""Saves results under a name that tells the kind of file."""

from pathlib import Path
from typing import Final

import numpy as np

from ddfa.arrays import UInt8
from ddfa.draw.styles import parse_style
from ddfa.errors import OutputError
from ddfa.export.face_files import FaceFiles
from ddfa.export.kinds import FACE_KINDS, IMAGE_KINDS, KINDS
from ddfa.faces import Faces
from ddfa.image_input import ImageLike, as_image

_IMAGES: Final = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")


def kind_of(path: Path) -> str:
    """The kind of file that a name tells: the longest ending that fits; other image files are overlays.

    Raises:
        OutputError: no kind has such a name.
    """
    name = path.name.lower()
    fitting = [kind for kind in (*FACE_KINDS, *IMAGE_KINDS) if name.endswith(KINDS[kind].ending)]
    if fitting:
        return max(fitting, key=lambda kind: len(KINDS[kind].ending))
    if path.suffix.lower() in _IMAGES:
        return "overlay"
    endings = ", ".join(dict.fromkeys(kind.ending for kind in KINDS.values()))
    raise OutputError(f"{path}: no kind of file has this ending: use one of {endings}, or name the kind")


def save_faces(
    faces: Faces,
    path: str | Path,
    kind: str | None = None,
    *,
    image: ImageLike | None = None,
    style: str = "mesh+landmarks+pose",
    texture_size: int = 1024,
    delight: bool = False,
    keep_occluders: bool = False,
    landmarks: str = "ibug68",
) -> list[Path]:
    """Save faces as one kind of file.

    Args:
        faces: the faces of a photo.
        path: the file. For kinds that describe one face, several faces become x_0.ply, x_1.ply and so on.
        kind: of `ddfa.export.kinds.KINDS`; None for that of the name.
        image: the photo; None for that which was aligned.
        style: of the overlay.
        texture_size: side of the texture in px.
        delight: remove shading from the texture.
        keep_occluders: paint hair, hats, glasses and hands on the texture.
        landmarks: set of landmarks in .pts and COCO files, see `Faces.landmarks`.

    Returns:
        The files, in the order of the faces.

    Raises:
        OutputError: the kind is unknown, there is no face to save, or a file cannot be written.
        ImageError: the kind needs the pixels of the photo, which are not known.
        ModelError: the head model lacks what the kind needs.
    """
    path = Path(path)
    kind = kind_of(path) if kind is None else kind
    if kind not in KINDS:
        raise OutputError(f"unknown kind of file '{kind}': choose one of {', '.join(KINDS)}")
    if KINDS[kind].per == "face" and not len(faces):
        raise OutputError(f"{path}: the photo shows no face, so there is nothing to save")
    named = "" if faces.source is None or faces.source.path is None else faces.source.path
    files = FaceFiles(
        faces,
        _pixels(faces, image, KINDS[kind].needs_image),
        Path(named),
        texture_size=texture_size,
        delight=delight,
        keep_occluders=keep_occluders,
        style=parse_style(style),
        landmarks=landmarks,
    )
    ending = KINDS[kind].ending
    ending = ending if path.name.lower().endswith(ending) else path.suffix
    stem = path.name[: len(path.name) - len(ending)]
    alone = KINDS[kind].per == "image" or len(faces) == 1
    paths = [path] if alone else [path.with_name(f"{stem}_{index}{ending}") for index in range(len(faces))]
    for index, each in enumerate(paths):
        KINDS[kind].write(files, index, each)
    return paths


def _pixels(faces: Faces, image: ImageLike | None, needed: bool) -> UInt8:
    if image is not None:
        return as_image(image)
    return faces.image if needed else np.zeros((1, 1, 3), np.uint8)
