"""One face as JSON: everything but the mesh, which the PLY, OBJ and MAT files hold.

The schema is documented in docs/outputs.md; `version` grows when a reader of the old one would misread the new.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ddfa.faces import Faces
from ddfa.files import write_atomically
from ddfa.raster.visibility import landmark_visibility
from ddfa.regress.bundle import MODEL_FILE, Bundle

RECORD_FORMAT = "openddfa.face"
RECORD_VERSION = 1


def face_record(faces: Faces, index: int, bundle: Bundle, image_path: Path) -> dict[str, Any]:
    """Collect all that is known about one face.

    Args:
        faces: the faces of the photo.
        index: which of them, from 0.
        bundle: the model that aligned them.
        image_path: where the photo lies, as the user named it.

    Returns:
        A dictionary of plain numbers, strings, lists and dictionaries, see docs/outputs.md.
    """
    z = faces.vertices[index, :, 2]  # of all faces at once: whatever else is written shares the meshes
    face = faces[index]
    width, height = face.image_size
    yaw, pitch, roll = _plain(face.euler_deg[0])
    return {
        "format": RECORD_FORMAT,
        "version": RECORD_VERSION,
        "image": {"path": str(image_path), "width": width, "height": height},
        "model": {"name": bundle.name, "sha256": bundle.files[MODEL_FILE], "head": face.head.name},
        "face": {"index": index, "count": len(faces)},
        "box": _plain(face.boxes[0]),
        "score": _plain(face.scores[0]),
        "roi": _plain(face.roi[0]),
        "euler_deg": {"yaw": yaw, "pitch": pitch, "roll": roll},
        "rotation": _plain(face.rotation[0]),
        "scale": _plain(face.scale[0]),
        "translation": _plain(face.translation[0]),
        "landmarks68": _plain(face.landmarks68[0]),
        "params": {
            "pose": _plain(face.params[0, :12].reshape(3, 4)),
            "identity": _plain(face.identity[0]),
            "expression": _plain(face.expression[0]),
        },
        "blendshapes": _blendshapes(face),
        "visibility68": landmark_visibility(face).tolist(),
        "depth_range": _plain(np.array([z.min(), z.max()])),
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


def _blendshapes(face: Faces) -> dict[str, float] | None:
    """ARKit name -> weight in [0, 1]; None for a head model without them."""
    if not face.head.has_arkit:
        return None
    return dict(zip(face.head.expression_names, _plain(face.blendshapes[0]), strict=True))


def _plain(values: Any) -> Any:
    """Turn float32 arrays into nested lists with the fewest digits that keep every bit."""
    digits = np.asarray(values, np.float32).astype("U16")  # the longest has 15 characters, as in -1.17549435e-38
    return digits.astype(np.float64).tolist()
