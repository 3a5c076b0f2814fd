"""The table of faces: its columns, and the model in its metadata.

There is one row for each face, one for a photo without a face (`face` is null), and one for a photo that failed (with
the reason in `error`). `version` is increased when readers of the previous version would misread the table.
"""

import json
from typing import Any, Final

import pyarrow as pa

from ddfa.errors import DataError, reading
from ddfa.regress.bundle import MODEL_FILE, Bundle

VERSION: Final = 1
_KEY: Final = b"openddfa.faces"


def faces_schema(bundle: Bundle) -> pa.Schema:
    """The schema of a table made with a bundle."""
    single = pa.float32()
    fields = [
        pa.field("source", pa.string(), nullable=False),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("faces", pa.int32(), nullable=False),
        pa.field("face", pa.int32()),
        pa.field("box", pa.list_(single, 4)),
        pa.field("score", single),
        pa.field("roi", pa.list_(single, 4)),
        pa.field("agreement", single),
        pa.field("params", pa.list_(single, bundle.layout.size)),
        pa.field("euler_deg", pa.list_(single, 3)),
        pa.field("turn_nod_tilt_deg", pa.list_(single, 3)),
        pa.field("camera_rotation", pa.list_(single, 9)),
        pa.field("translation_mm", pa.list_(single, 3)),
        pa.field("distance_mm", single),
        pa.field("reprojection_error_px", single),
        pa.field("landmarks68", pa.list_(single, 68 * 3)),
        pa.field("quality", single),
        pa.field("landmark_std", pa.list_(single, 68)),
        pa.field("landmark_occlusion", pa.list_(single, 68)),
        pa.field("error", pa.string()),
    ]
    metadata = {
        "version": VERSION,
        "model": bundle.name,
        "sha256": bundle.files[MODEL_FILE],
        "identity": bundle.layout.identity,
        "expression": bundle.layout.expression,
        "pixel_convention": bundle.convention.value,
        "crop_size": bundle.input_size,
    }
    return pa.schema(fields, {_KEY: json.dumps(metadata).encode()})


def model_of(schema: pa.Schema, name: str) -> tuple[str, str]:
    """Name and SHA-256 of the model in the metadata of a table; `name` is that of the table, for the error message.

    Raises:
        DataError: this is not a table of faces, or one of a newer version.
    """
    with reading(name, DataError, "no table of `ddfa batch`", "name its output folder or a file in it"):
        metadata: Any = json.loads((schema.metadata or {})[_KEY])
        if metadata["version"] != VERSION:
            raise DataError(f"{name} has version {metadata['version']}, this program reads {VERSION}: use that version")
        return str(metadata["model"]), str(metadata["sha256"])
