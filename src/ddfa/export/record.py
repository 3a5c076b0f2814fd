"""The JSON record of one face: everything but the mesh, which is in the PLY, OBJ and MAT files.

The schema is documented in docs/outputs.md; `version` is incremented when older readers would misread the new form.
"""

import json
from pathlib import Path
from typing import Any

from ddfa.export.plain import RECORD, plain_face
from ddfa.faces import Faces
from ddfa.files import write_atomically

RECORD_FORMAT = "openddfa.face"
RECORD_VERSION = 1
_OF_IMAGE = ("format", "version", "image", "model")


def face_record(faces: Faces, index: int, image_path: str | Path | None = None) -> dict[str, Any]:
    """Describe one face, its image and its model.

    Args:
        faces: the faces of the image.
        index: which of them, from 0.
        image_path: path of the image, as the user named it; None for that which was aligned.

    Returns:
        A dictionary of plain numbers, strings, lists and dictionaries, see docs/outputs.md.
    """
    _ = faces.vertices  # decoded for all faces at once: whatever else is written shares the meshes
    face = faces.single(index)
    width, height = face.image_size
    return {
        "format": RECORD_FORMAT,
        "version": RECORD_VERSION,
        "image": {"path": _path(faces, image_path), "width": width, "height": height},
        "model": {"name": face.model.name, "sha256": face.model.sha256, "head": face.head.name},
        "face": {"index": index, "count": len(faces)},
        **plain_face(face, RECORD),
    }


def faces_record(faces: Faces) -> dict[str, Any]:
    """Describe all faces of an image.

    Args:
        faces: the faces.

    Returns:
        `format`, `version`, `image` and `model` as in `face_record`, and `faces`, a list of the other entries of each.
    """
    records = [face_record(faces, index) for index in range(len(faces))]
    width, height = faces.image_size
    model = faces.model
    return {
        "format": RECORD_FORMAT + "s",
        "version": RECORD_VERSION,
        "image": {"path": _path(faces, None), "width": width, "height": height},
        "model": {"name": model.name, "sha256": model.sha256, "head": model.head.name},
        "faces": [{key: value for key, value in one.items() if key not in _OF_IMAGE} for one in records],
    }


def _path(faces: Faces, given: str | Path | None) -> str | None:
    if given is not None:
        return str(given)
    return None if faces.source is None else faces.source.path


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a record as JSON.

    Args:
        path: the file.
        record: see `face_record`.

    Raises:
        OutputError: if it cannot be written.
    """
    # One line per entry: still readable, and not one line per number.
    entries = (f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in record.items())
    write_atomically(path, ("{\n" + ",\n".join(entries) + "\n}\n").encode())
