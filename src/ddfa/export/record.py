"""The JSON record of one face: everything but the mesh, which is in the PLY, OBJ and MAT files.

The schema is documented in docs/outputs.md; `version` is incremented when older readers would misread the new form.
"""

import json
from pathlib import Path
from typing import Any

from ddfa.export.plain import RECORD, plain_face
from ddfa.faces import Faces
from ddfa.files import write_atomically
from ddfa.regress.bundle import MODEL_FILE, Bundle

RECORD_FORMAT = "openddfa.face"
RECORD_VERSION = 1


def face_record(faces: Faces, index: int, bundle: Bundle, image_path: Path) -> dict[str, Any]:
    """Describe one face, its image and its model.

    Args:
        faces: the faces of the image.
        index: which of them, from 0.
        bundle: the model that aligned them.
        image_path: path of the image, as the user named it.

    Returns:
        A dictionary of plain numbers, strings, lists and dictionaries, see docs/outputs.md.
    """
    _ = faces.vertices  # decoded for all faces at once: whatever else is written shares the meshes
    face = faces.single(index)
    width, height = face.image_size
    return {
        "format": RECORD_FORMAT,
        "version": RECORD_VERSION,
        "image": {"path": str(image_path), "width": width, "height": height},
        "model": {"name": bundle.name, "sha256": bundle.files[MODEL_FILE], "head": face.head.name},
        "face": {"index": index, "count": len(faces)},
        **plain_face(face, RECORD),
    }


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
