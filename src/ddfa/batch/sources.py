"""Sources of photos: files, folders, patterns, tars and Parquet tables, on disk or at any URL that fsspec supports.

A photo is named by its location: `PATH`, `TAR::MEMBER` or `TABLE::ROW`. The same input always results in the same names
in the same order.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import PurePosixPath
from typing import Any, Final

import fsspec
import pyarrow.parquet as pq

from ddfa.errors import DataError, ImageError, reason
from ddfa.files import tar_spans
from ddfa.images import IMAGE_SUFFIXES

_INSIDE: Final = "::"
_CONTENT: Final = ("bytes", "image", "content", "jpg")  # columns of a table with encoded images
_PATHS: Final = ("path", "url", "file")  # columns with their paths


@dataclass(frozen=True)
class Photo:
    """One photo of the input.

    Attributes:
        name: its location, see above.
        place: the file to open: the photo itself, or the tar or table that contains it.
        start: offset in a tar, bytes; its row in a table; -1 for a file.
        length: in a tar, bytes; -1 otherwise.
    """

    name: str
    place: str
    start: int = -1
    length: int = -1


def list_photos(inputs: Sequence[str]) -> list[Photo]:
    """Find the photos of some inputs, in order.

    Args:
        inputs: paths, patterns or URLs of photos, folders (searched recursively), uncompressed tars (`.tar`) and
            Parquet tables (`.parquet`) with a column of encoded images (bytes, image, content or jpg) or of their paths
            (path, url or file).

    Raises:
        DataError: an input does not exist, cannot be read, or contains no photo.
    """
    return [photo for given in inputs for photo in _photos_of(given)]


def read_photo(photo: Photo) -> bytes:
    """Read the encoded image.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        if photo.start >= 0 > photo.length:
            return _cell(photo.place, photo.start)
        # Not through an open file: object stores would first request the size, then read far ahead.
        system, path = fsspec.core.url_to_fs(photo.place)
        inside = {"start": photo.start, "end": photo.start + photo.length} if photo.start >= 0 else {}
        return bytes(system.cat_file(path, **inside))
    except ImageError:
        raise
    except Exception as error:  # every file system raises its own errors
        raise ImageError(f"cannot read {photo.name} ({reason(error)}): check the path") from None


def find_photo(name: str) -> Photo:
    """The photo of a name from `list_photos`.

    Raises:
        DataError: it does not exist any more.
    """
    place, inside, member = name.partition(_INSIDE)
    if not inside:
        return Photo(name, place)
    if place.lower().endswith(".parquet"):
        return Photo(name, place, int(member))
    found = next((photo for photo in _in_tar(place) if photo.name == name), None)
    if found is None:
        raise DataError(f"{place} does not contain {member} any more: name the input the table was made from")
    return found


def _photos_of(given: str) -> list[Photo]:
    try:
        system, path = fsspec.core.url_to_fs(given)
        if any(sign in given for sign in "*?["):
            found = sorted(system.glob(path))
        elif system.isdir(path):
            found = sorted(system.find(path))
        else:
            found = [path] if system.exists(path) else []
    except Exception as error:  # every file system raises its own errors
        raise DataError(f"cannot list {given} ({reason(error)}): check the path") from None
    if not found:
        raise DataError(f"{given} does not exist or is empty: check the path")
    plain = "://" not in given
    places = [place if plain else str(system.unstrip_protocol(place)) for place in found]
    photos = [photo for place in places for photo in _expanded(place, alone=len(places) == 1)]
    if not photos:
        raise DataError(f"{given} contains no photos ({', '.join(IMAGE_SUFFIXES)}): name another path")
    return photos


def _expanded(place: str, alone: bool) -> Iterator[Photo]:
    """The photos in one file; a file that is the only one of its input is a photo whatever its suffix."""
    suffix = PurePosixPath(place).suffix.lower()
    if suffix == ".tar":
        yield from _in_tar(place)
    elif suffix == ".parquet":
        yield from _in_table(place)
    elif suffix in IMAGE_SUFFIXES or alone:
        yield Photo(place, place)


def _in_tar(place: str) -> Iterator[Photo]:
    for member, start, length in tar_spans(partial(fsspec.open, place, "rb"), place, IMAGE_SUFFIXES):
        yield Photo(f"{place}{_INSIDE}{member}", place, start, length)


def _in_table(place: str) -> Iterator[Photo]:
    try:
        with fsspec.open(place, "rb") as file:
            table = pq.ParquetFile(file)
            names = table.schema_arrow.names
            paths = next((name for name in _PATHS if name in names), None)
            if any(name in names for name in _CONTENT):
                yield from (Photo(f"{place}{_INSIDE}{row}", place, row) for row in range(table.metadata.num_rows))
            elif paths is not None:
                yield from (Photo(str(path), str(path)) for path in table.read([paths])[paths].to_pylist())
            else:
                raise DataError(f"{place} has no column of images ({', '.join((*_CONTENT, *_PATHS))}): rename one")
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"cannot read {place} as a Parquet table ({reason(error)}): check it") from None


def _cell(place: str, row: int) -> bytes:
    """The encoded image in a row of a table."""
    column, starts = _layout(place)
    group = bisect_right(starts, row) - 1
    value = _row_group(place, group, column)[row - starts[group]].as_py()
    content = value.get("bytes") if isinstance(value, dict) else value  # as Hugging Face stores images
    if not content:
        raise ImageError(f"row {row} of {place} contains no image")
    return bytes(content)


@lru_cache(maxsize=1)  # photos are read in order, so that the next one is in the same table and mostly the same group
def _layout(place: str) -> tuple[str, list[int]]:
    """The column of encoded images in a table, and the first row of each row group."""
    with fsspec.open(place, "rb") as file:
        table = pq.ParquetFile(file)
        sizes = [table.metadata.row_group(group).num_rows for group in range(table.metadata.num_row_groups)]
        column = next(name for name in _CONTENT if name in table.schema_arrow.names)
        return column, list(accumulate(sizes, initial=0))[:-1]


@lru_cache(maxsize=1)
def _row_group(place: str, group: int, column: str) -> Any:
    with fsspec.open(place, "rb") as file:
        return pq.ParquetFile(file).read_row_group(group, [column])[column]
