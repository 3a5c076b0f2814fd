"""Photos in shards, each of which becomes one file whole or not at all: nothing lost, nothing twice.

OUTPUT/manifest.json         settings, the inputs' fingerprint, how many photos and shards
OUTPUT/part-000000.parquet   the rows of the first shard, and so on
"""

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ddfa.batch.sources import Photo, list_photos, read_photo
from ddfa.batch.stage import INPUT_SCHEMA, AlignStage, StageSettings
from ddfa.errors import DataError, ImageError
from ddfa.files import make_folder, write_atomically
from ddfa.regress.bundle import MODEL_FILE
from ddfa.regress.registry import find_bundle

MANIFEST: Final = "manifest.json"
_FORMAT: Final = 1
_PHOTOS_AT_ONCE: Final = 16  # decoded and aligned together: bounds the memory of a worker


@dataclass(frozen=True, eq=False)
class Job:
    """Photos to align, and where the rows go.

    Attributes:
        photos: all of them, in order.
        settings: how they are aligned.
        folder: the output.
        size: photos of a shard.
    """

    photos: list[Photo]
    settings: StageSettings
    folder: Path
    size: int

    @property
    def shards(self) -> int:
        """How many there are."""
        return -(-len(self.photos) // self.size)

    def place(self, shard: int) -> Path:
        """The file of a shard."""
        return self.folder / f"part-{shard:06d}.parquet"

    def missing(self) -> list[int]:
        """The shards not done yet."""
        return [shard for shard in range(self.shards) if not self.place(shard).is_file()]

    def photos_of(self, shard: int) -> list[Photo]:
        """The photos of a shard."""
        return self.photos[shard * self.size : (shard + 1) * self.size]


def open_job(inputs: Sequence[str], folder: Path, settings: StageSettings, size: int) -> Job:
    """List the photos and begin the output, or go on with the one that is there.

    Raises:
        DataError: there are no photos, or the output is that of other inputs or settings.
        OutputError: the folder cannot be written.
        ModelError: the model cannot be used.
    """
    if size < 1:
        raise DataError("--shard needs a number from 1 up")
    job = Job(list_photos(inputs), settings, folder, size)
    manifest = _manifest(job)
    path = make_folder(folder) / MANIFEST
    if not path.is_file():
        if any(folder.iterdir()):
            raise DataError(f"{folder} holds other files: choose an empty or a new folder")
        write_atomically(path, (json.dumps(manifest, indent=2) + "\n").encode())
        return job
    try:
        before: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise DataError(f"{path} cannot be read: choose a new folder") from None
    differing = sorted(key for key in manifest if not isinstance(before, dict) or before.get(key) != manifest[key])
    if differing:
        raise DataError(
            f"{folder} was begun with other inputs or settings ({', '.join(differing)}): choose a new folder, or name "
            "the same ones to go on"
        )
    return job


def do_shard(stage: AlignStage, photos: Sequence[Photo], place: Path) -> tuple[int, int]:
    """Align the photos of a shard and write its file.

    Returns:
        How many faces were found, and how many photos failed.

    Raises:
        OutputError: the file cannot be written; nothing is left behind then.
    """
    table = pa.Table.from_batches([stage(batch) for batch in _batches(photos)], stage.schema)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_atomically(place, buffer.getvalue())
    return table.num_rows - table["face"].null_count, table.num_rows - table["error"].null_count


def _batches(photos: Sequence[Photo]) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(photos), _PHOTOS_AT_ONCE):
        rows = [_row(photo) for photo in photos[start : start + _PHOTOS_AT_ONCE]]
        yield pa.RecordBatch.from_pylist(rows, INPUT_SCHEMA)


def _row(photo: Photo) -> dict[str, Any]:
    try:
        return {"source": photo.name, "content": read_photo(photo)}
    except ImageError as error:
        return {"source": photo.name, "error": str(error)}


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
