"""The table of faces: its columns, and what its metadata say of the model.

One row for each face; one for a photo without a face (`face` is null) and one for a photo that failed (`error` says
why). `version` grows when a reader of the old table would misread the new.
"""

import json
from typing import Any, Final

import pyarrow as pa

from ddfa.errors import DataError
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
        pa.field("landmarks68", pa.list_(single, 68 * 3)),
        pa.field("error", pa.string()),
    ]
    told = {
        "version": VERSION,
        "model": bundle.name,
        "sha256": bundle.files[MODEL_FILE],
        "identity": bundle.layout.identity,
        "expression": bundle.layout.expression,
        "pixel_convention": bundle.convention.value,
        "crop_size": bundle.input_size,
    }
    return pa.schema(fields, {_KEY: json.dumps(told).encode()})


def model_of(schema: pa.Schema, name: str) -> tuple[str, str]:
    """Name and SHA-256 of the model that the metadata of a table tell; `name` stands in the error.

    Raises:
        DataError: it is no table of faces, or of a newer version.
    """
    told: Any = json.loads((schema.metadata or {}).get(_KEY, b"null"))
    if not isinstance(told, dict):
        raise DataError(f"{name} is no table of `ddfa batch`: name its output folder or a file in it")
    if told["version"] != VERSION:
        raise DataError(f"{name} has version {told['version']}, this program reads {VERSION}: use the one it is from")
    return told["model"], told["sha256"]
