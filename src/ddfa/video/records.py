"""Records of the faces in every frame of a video, as JSON lines or Parquet; docs/video.md describes the schema."""

import json
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from ddfa.errors import OutputError
from ddfa.export.plain import VIDEO, plain_face
from ddfa.files import PendingFile
from ddfa.video.io.source import Frame
from ddfa.video.motion.files import SUFFIXES as MOTION_SUFFIXES
from ddfa.video.tracking.tracker import TrackedFace

_ROWS: Final = 256  # rows per Parquet row group, which bounds the memory
_SUFFIXES: Final = (".jsonl", ".parquet")


def record_of(frame: Frame, tracked: TrackedFace) -> dict[str, Any]:
    """Describe a face of a frame in plain numbers and lists, see docs/video.md."""
    return {"frame": frame.index, "time": round(frame.time, 6), "id": tracked.id, **plain_face(tracked.faces, VIDEO)}


class RecordWriter:
    """Writes one record per face and frame; the file appears once it is finished, also after an interruption.

    Args:
        path: the file, `.jsonl` or `.parquet`.

    Raises:
        OutputError: another suffix, or the file cannot be created.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() not in _SUFFIXES:
            raise OutputError(
                f"cannot write {path}: use one of the suffixes {', '.join((*_SUFFIXES, *MOTION_SUFFIXES))}"
            )
        self._file = PendingFile(path)
        make: Callable[[Path], _Sink] = _Lines if path.suffix.lower() == ".jsonl" else _Parquet
        self._sink: _Sink = self._guarded(lambda: make(self._file.temporary))

    def write(self, frame: Frame, tracked: TrackedFace) -> None:
        """Append a record.

        Raises:
            OutputError: it cannot be written; nothing is left behind then.
        """
        self._guarded(lambda: self._sink.add(record_of(frame, tracked)))

    def close(self) -> None:
        """Finish the file and move it to its path."""
        self._guarded(self._sink.close)
        self._guarded(self._file.commit)

    def _guarded(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except OSError as error:  # file errors of pyarrow are OSErrors, too
            self._file.discard()
            raise self._file.failure(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file.temporary.exists():
            self.close()


class _Sink(Protocol):
    def add(self, record: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


class _Lines:
    def __init__(self, path: Path) -> None:
        self._file: TextIOWrapper = path.open("w", encoding="utf-8")

    def add(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps(record, separators=(",", ":")) + "\n")

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, path: Path) -> None:
        import pyarrow
        import pyarrow.parquet

        numbers = pyarrow.list_(pyarrow.float32())
        kinds = {"frame": pyarrow.int64(), "time": pyarrow.float64(), "id": pyarrow.int64()}
        kinds |= {"score": pyarrow.float32(), "box": numbers, "roi": numbers, "euler_deg": numbers}
        kinds |= {"turn_nod_tilt_deg": numbers, "rotation": numbers, "quaternion": numbers}
        kinds |= {"scale": pyarrow.float32(), "translation": numbers}
        kinds |= {"camera_rotation": numbers, "translation_mm": numbers}
        kinds |= {"distance_mm": pyarrow.float32(), "reprojection_error_px": pyarrow.float32()}
        kinds |= {"blendshapes": numbers, "landmarks68": numbers, "params": numbers}
        kinds |= {"quality": pyarrow.float32(), "landmark_std": numbers, "landmark_occlusion": numbers}
        self._schema = pyarrow.schema(list(kinds.items()))
        self._table = pyarrow.Table
        self._writer = pyarrow.parquet.ParquetWriter(str(path), self._schema)
        self._rows: list[dict[str, Any]] = []

    def add(self, record: dict[str, Any]) -> None:
        self._rows.append(record)
        if len(self._rows) >= _ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._table.from_pylist(self._rows, self._schema))
            self._rows = []
