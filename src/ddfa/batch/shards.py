"""A corpus in shards: photos to align, each shard one Parquet file, written completely or not at all.

OUTPUT/_manifest.json        settings, fingerprint of the inputs, number of photos
OUTPUT/part-000000.parquet   rows of the first shard, and so on
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ddfa.batch.sources import Photo, list_photos, read_photo
from ddfa.batch.stage import INPUT_SCHEMA, AlignStage, StageSettings
from ddfa.errors import DataError, ImageError
from ddfa.files import atomic_path, make_folder, printable
from ddfa.jobs import LOCK, check_settings, missing, sole_writer
from ddfa.regress.bundle import MODEL_FILE
from ddfa.regress.registry import find_bundle

MANIFEST: Final = "_manifest.json"  # readers of Parquet folders skip names that begin with an underscore
_FORMER_MANIFEST: Final = "manifest.json"  # up to 0.2
_FORMAT: Final = 1
_PHOTOS_AT_ONCE: Final = 16  # read and aligned together; bounds the memory of a worker
_BYTES_AT_ONCE: Final = 1 << 28  # likewise, of encoded photos


@dataclass(frozen=True, eq=False)
class Job:
    """Photos to align, and the table of their faces.

    Attributes:
        photos: all of them, in order.
        settings: how they are aligned.
        folder: the output.
        size: photos per shard.
    """

    photos: list[Photo]
    settings: StageSettings
    folder: Path
    size: int

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-len(self.photos) // self.size)

    def path(self, shard: int) -> Path:
        """The file of a shard."""
        return self.folder / f"part-{shard:06d}.parquet"

    def missing(self) -> list[int]:
        """The shards that are not done yet, or whose file is damaged."""
        return missing([self.path(shard) for shard in range(self.shards)], _is_table)

    def photos_of(self, shard: int) -> list[Photo]:
        """The photos of a shard."""
        return self.photos[shard * self.size : (shard + 1) * self.size]


def open_job(inputs: Sequence[str], folder: Path, settings: StageSettings, size: int, limit: int = 0) -> Job:
    """List the photos, only the first ones if there is a limit, and begin a table, or resume the one in the folder.

    Raises:
        DataError: there are no photos, or the table in the folder was begun with other inputs or settings.
        OutputError: the folder cannot be written, or another process is writing into it.
        ModelError: the model cannot be used.
    """
    if size < 1:
        raise DataError("--shard needs a number from 1 up")
    if limit < 0:
        raise DataError(f"--limit {limit}: give 0 for all photos, or a positive number")
    job = Job(list_photos(inputs)[: limit or None], settings, folder, size)
    with sole_writer(make_folder(folder)):
        manifest, former = folder / MANIFEST, folder / _FORMER_MANIFEST
        if former.is_file() and not manifest.exists():
            former.rename(manifest)
        if not manifest.is_file() and any(path.name != LOCK for path in folder.iterdir()):
            raise DataError(f"{folder} holds other files: choose an empty or a new folder")
        check_settings(manifest, _manifest(job))
    return job


def do_shard(stage: AlignStage, photos: Sequence[Photo], path: Path) -> tuple[int, int]:
    """Align the photos of a shard and write its file.

    Returns:
        Number of faces found, and number of photos that failed.

    Raises:
        OutputError: the file cannot be written; nothing is left behind.
    """
    table = pa.Table.from_batches([stage(batch) for batch in _batches(photos)], stage.schema)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return table.num_rows - table["face"].null_count, table.num_rows - table["error"].null_count


def _is_table(path: Path) -> bool:
    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowException):
        return False
    return True


def _batches(photos: Sequence[Photo]) -> Iterator[pa.RecordBatch]:
    rows, size = list[dict[str, Any]](), 0
    for photo in photos:
        rows.append(_row(photo))
        size += len(rows[-1].get("content", b""))
        if len(rows) == _PHOTOS_AT_ONCE or size >= _BYTES_AT_ONCE:
            yield pa.RecordBatch.from_pylist(rows, INPUT_SCHEMA)
            rows, size = [], 0
    if rows:
        yield pa.RecordBatch.from_pylist(rows, INPUT_SCHEMA)


def _row(photo: Photo) -> dict[str, Any]:
    try:
        return {"source": photo.name, "content": read_photo(photo)}
    except ImageError as error:
        return {"source": photo.name, "error": printable(str(error))}


def _manifest(job: Job) -> dict[str, Any]:
    digest = hashlib.blake2b(digest_size=16)
    for photo in job.photos:
        digest.update(photo.name.encode() + b"\0")
    bundle = find_bundle(job.settings.model)
    return {
        "format": _FORMAT,
        "photos": len(job.photos),
        "shard": job.size,
        "inputs": digest.hexdigest(),
        "settings": asdict(job.settings),
        "model_sha256": bundle.files[MODEL_FILE],
    }
