"""Faces from the rows of a table."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from ddfa.arrays import Float32
from ddfa.batch.schema import model_of
from ddfa.batch.sources import find_photo, read_photo
from ddfa.errors import DataError, DDFAError, reading
from ddfa.export.face_files import FaceFiles
from ddfa.export.kinds import KINDS
from ddfa.face_model import FaceModel
from ddfa.faces import Faces
from ddfa.files import check_regular
from ddfa.images import MAX_PIXELS, decode_image
from ddfa.regress.bundle import MODEL_FILE, Bundle
from ddfa.regress.registry import find_bundle

_COLUMNS = ("source", "width", "height", "face", "box", "score", "roi", "params")


def photos_with_faces(table: Path, model: str | None = None) -> Iterator[tuple[str, Faces, Bundle]]:
    """The photos of a table that have faces.

    Args:
        table: output folder of `ddfa batch`, or one of its files.
        model: the bundle, if it is not found under the name in the table.

    Yields:
        Name of the photo, its faces, and the bundle.

    Raises:
        DataError: this is not such a table, or it was made with other weights.
        ModelError: the bundle cannot be found.
    """
    files = sorted(table.glob("part-*.parquet")) if table.is_dir() else [table]
    if not files:
        raise DataError(f"{table} contains no part-*.parquet: name an output folder of `ddfa batch`")
    bundle, face_model = None, None
    for file in files:
        check_regular(file, DataError)
        with reading(file, DataError, "not a readable Parquet table", "check it"):
            opened = pq.ParquetFile(file)
        name, sha256 = model_of(opened.schema_arrow, str(file))
        if bundle is None or face_model is None:
            bundle = find_bundle(model or name)
            face_model = FaceModel.of(bundle)
        if bundle.files[MODEL_FILE] != sha256:
            raise DataError(f"{file} was made with other weights than '{bundle.name}': name their bundle with --model")
        photos = _by_photo(opened)
        while True:
            with reading(file, DataError, "a damaged table", "make it again with `ddfa batch`"):
                rows = next(photos, None)
                if rows is None:
                    break
                faces = _faces(rows, face_model)
            yield str(rows[0]["source"]), faces, bundle


def write_photo(
    stem: Path,
    name: str,
    faces: Faces,
    bundle: Bundle,
    kinds: Sequence[str],
    max_pixels: int = MAX_PIXELS,
    *,
    overwrite: bool = True,
) -> list[Path]:
    """Write files of the faces of a photo; the photo is read again only if a kind needs its pixels.

    Args:
        stem: folder and first part of the files' names.
        name: the photo, as the table has it.
        faces: its faces.
        bundle: the model that aligned them.
        kinds: of `ddfa.export.kinds.KINDS`.
        max_pixels: maximum width times height of the photo.
        overwrite: whether files that exist are replaced; otherwise one that exists is an error.

    Returns:
        The files.

    Raises:
        DDFAError: the photo cannot be read or has changed, or a file cannot be written.
    """
    image = np.zeros((1, 1, 3), np.uint8)
    if any(KINDS[kind].needs_image for kind in kinds):
        image = decode_image(read_photo(find_photo(name)), name, max_pixels)
        if image.shape[1::-1] != faces.image_size:
            raise DDFAError(f"{name} has changed: its size is {image.shape[1::-1]}, not {faces.image_size}")
    files = FaceFiles(faces, image, Path(name), with_material="texture" in kinds)
    return files.write_all(kinds, stem, overwrite=overwrite)


def _by_photo(table: pq.ParquetFile) -> Iterator[list[dict[str, Any]]]:
    """Rows with a face, grouped by photo."""
    group: list[dict[str, Any]] = []
    for batch in table.iter_batches(columns=list(_COLUMNS)):
        for row in batch.to_pylist():
            if row["face"] is None:
                continue
            if group and row["face"] == 0:
                yield group
                group = []
            group.append(row)
    if group:
        yield group


def _faces(rows: list[dict[str, Any]], model: FaceModel) -> Faces:
    def column(name: str, *shape: int) -> Float32:
        values = np.array([row[name] for row in rows], np.float32)
        if values.shape[1:] != shape or not np.isfinite(values).all():
            raise ValueError(f"{name} is no column of {shape or 'numbers'}")
        return values

    return Faces(
        boxes=column("box", 4),
        scores=column("score"),
        params=column("params", model.layout.size),
        roi=column("roi", 4),
        model=model,
        image_size=(int(rows[0]["width"]), int(rows[0]["height"])),
    )
