"""Rows of a table back to faces."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from ddfa.arrays import Float32
from ddfa.batch.schema import model_of
from ddfa.errors import DataError, reason
from ddfa.faces import Faces
from ddfa.head.model import HeadModel
from ddfa.regress.bundle import MODEL_FILE, Bundle
from ddfa.regress.registry import find_bundle

_COLUMNS = ("source", "width", "height", "face", "box", "score", "roi", "params")


def photos_with_faces(table: Path, model: str | None = None) -> Iterator[tuple[str, Faces, Bundle]]:
    """The photos of a table that show faces.

    Args:
        table: output folder of `ddfa batch`, or one of its files.
        model: the bundle, where the one the table names is not at hand under its name.

    Yields:
        Name of the photo, its faces, and the bundle.

    Raises:
        DataError: it is no such table, or was made with other weights.
        ModelError: the bundle cannot be found.
    """
    files = sorted(table.glob("part-*.parquet")) if table.is_dir() else [table]
    if not files:
        raise DataError(f"{table} holds no part-*.parquet: name an output folder of `ddfa batch`")
    bundle, head = None, None
    for file in files:
        try:
            opened = pq.ParquetFile(file)
        except Exception as error:  # of the file system or the format
            raise DataError(f"cannot read {file} as a Parquet table ({reason(error)}): check it") from None
        name, sha256 = model_of(opened.schema_arrow, str(file))
        if bundle is None or head is None:
            bundle = find_bundle(model or name)
            head = HeadModel.load(bundle.head_path)
        if bundle.files[MODEL_FILE] != sha256:
            raise DataError(f"{file} was made with other weights than '{bundle.name}' has: give theirs with --model")
        for rows in _by_photo(opened):
            yield rows[0]["source"], _faces(rows, bundle, head), bundle


def _by_photo(table: pq.ParquetFile) -> Iterator[list[dict[str, Any]]]:
    """Rows with a face, those of one photo together."""
    gathered: list[dict[str, Any]] = []
    for batch in table.iter_batches(columns=list(_COLUMNS)):
        for row in batch.to_pylist():
            if row["face"] is None:
                continue
            if gathered and row["face"] == 0:
                yield gathered
                gathered = []
            gathered.append(row)
    if gathered:
        yield gathered


def _faces(rows: list[dict[str, Any]], bundle: Bundle, head: HeadModel) -> Faces:
    def column(name: str) -> Float32:
        return np.array([row[name] for row in rows], np.float32)

    return Faces(
        boxes=column("box"),
        scores=column("score"),
        params=column("params"),
        roi=column("roi"),
        head=head,
        layout=bundle.layout,
        convention=bundle.convention,
        image_size=(rows[0]["width"], rows[0]["height"]),
        crop_size=bundle.input_size,
    )
