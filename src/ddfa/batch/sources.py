r"""Sources of photos: files, folders, patterns, tars and Parquet tables, on disk or at any URL that fsspec supports.

A photo is named by its location: `PATH`, `TAR::MEMBER` or `TABLE::ROW`; bytes that are not UTF-8 are escaped (`\xe9`).
The same input always results in the same names in the same order. Whatever a folder, tar or table contains that cannot
be read is a photo with an error, so that one bad file among many does not end a job.
"""

import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import PurePosixPath
from typing import Any, Final

import fsspec
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from ddfa.errors import DataError, ImageError, reason
from ddfa.files import file_name, printable, require_regular
from ddfa.images import IMAGE_SUFFIXES
from ddfa.tars import tar_members

_INSIDE: Final = "::"
LARGEST_PHOTO: Final = 1 << 29  # bytes of an encoded photo
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
        error: why it cannot be read; empty if it may be.
    """

    name: str
    place: str
    start: int = -1
    length: int = -1
    error: str = ""


def list_photos(inputs: Sequence[str]) -> list[Photo]:
    """Find the photos of some inputs, in order.

    Args:
        inputs: paths, patterns or URLs of photos, folders (searched recursively), uncompressed tars (`.tar`) and
            Parquet tables (`.parquet`) with a column of encoded images (bytes, image, content or jpg) or of their paths
            (path, url or file).

    Raises:
        DataError: an input does not exist or contains no photo, or none of the tars and tables can be read.
    """
    photos = [photo for given in inputs for photo in _photos_of(given)]
    if photos and all(photo.error and photo.start < 0 for photo in photos):
        raise DataError(photos[0].error)
    return photos


def read_photo(photo: Photo) -> bytes:
    """Read the encoded image.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        if photo.error:
            raise ImageError(photo.error)
        if photo.start >= 0 > photo.length:
            return _cell(photo.place, photo.start)
        # Not through an open file: object stores would first request the size, then read far ahead.
        system, path = _file_system(photo.place)
        if _is_local(photo.place):
            require_regular(path)
        size = photo.length if photo.start >= 0 else os.path.getsize(path) if _is_local(photo.place) else 0
        if size > LARGEST_PHOTO:
            raise ImageError(f"{photo.name} has {size} bytes, more than {LARGEST_PHOTO}: reduce it")
        inside = {"start": photo.start, "end": photo.start + photo.length} if photo.start >= 0 else {}
        return bytes(system.cat_file(path, **inside))
    except ImageError:
        raise
    except Exception as error:  # every file system raises its own errors
        raise ImageError(f"cannot read {photo.name} ({printable(reason(error))}): check the path") from None


def find_photo(name: str) -> Photo:
    """The photo of a name from `list_photos`.

    Raises:
        DataError: it does not exist any more.
    """
    place = next(
        (name[: sign.start()] for sign in re.finditer(_INSIDE, name) if _is_container(name[: sign.start()])), ""
    )
    path = _existing(name)
    if not place or (_is_local(name) and os.path.lexists(path)):
        return Photo(name, path)
    member, place = name[len(place) + len(_INSIDE) :], _existing(place)
    if place.lower().endswith(".parquet"):
        return Photo(name, place, int(member))
    found = _members(place).get(name)
    if found is None:
        raise DataError(f"{place} does not contain {member} any more: name the input the table was made from")
    return found


def _photos_of(given: str) -> list[Photo]:
    try:
        system, path = _file_system(given)
        if any(sign in given for sign in "*?[") and not system.exists(path):
            found = sorted(system.glob(path))
        elif system.isdir(path):
            found = sorted(system.find(path))
        else:
            found = [path] if system.exists(path) else []
    except Exception as error:  # every file system raises its own errors
        raise DataError(f"cannot list {printable(given)} ({printable(reason(error))}): check the path") from None
    if not found:
        raise DataError(f"{printable(given)} does not exist or is empty: check the path")
    places = [place if _is_local(given) else str(system.unstrip_protocol(place)) for place in found]
    photos = [photo for place in places for photo in _expanded(place, alone=len(places) == 1)]
    if not photos:
        raise DataError(f"{printable(given)} contains no photos ({', '.join(IMAGE_SUFFIXES)}): name another path")
    return photos


def _is_container(place: str) -> bool:
    return place.lower().endswith((".tar", ".parquet"))


def _is_local(place: str) -> bool:
    return "://" not in place


def _file_system(place: str) -> tuple[Any, str]:
    """The file system of a path or URL, and its path there."""
    if not _is_local(place):
        system, path = fsspec.core.url_to_fs(place)
        return system, path
    # Not by fsspec, which takes `::` in a path for a chain of URLs.
    return LocalFileSystem(), str(LocalFileSystem._strip_protocol(place))


def _opened(place: str) -> Any:
    system, path = _file_system(place)
    if _is_local(place):
        require_regular(path)
    return system.open(path, "rb")


def _existing(name: str) -> str:
    """The path of a name: itself, or with the bytes that were escaped."""
    return name if not _is_local(name) or os.path.lexists(name) else file_name(name)


def _expanded(place: str, alone: bool) -> Iterator[Photo]:
    """The photos in one file; a file that is the only one of its input is a photo whatever its suffix."""
    suffix = PurePosixPath(place).suffix.lower()
    try:
        if suffix == ".tar":
            yield from _in_tar(place)
        elif suffix == ".parquet":
            yield from _in_table(place)
        elif suffix in IMAGE_SUFFIXES or alone:
            yield Photo(printable(place), place)
    except DataError as error:
        yield Photo(printable(place), place, error=str(error))


def _in_tar(place: str) -> Iterator[Photo]:
    for member in tar_members(partial(_opened, place), place, IMAGE_SUFFIXES):
        name = printable(f"{place}{_INSIDE}{member.name}" if member.name else place)
        error = f"cannot read {name} ({member.fault})" if member.fault else ""
        yield Photo(name, place, member.start, member.length, error)


@lru_cache(maxsize=4)
def _members(place: str) -> dict[str, Photo]:
    return {photo.name: photo for photo in _in_tar(place)}


def _in_table(place: str) -> Iterator[Photo]:
    try:
        with _opened(place) as file:
            table = pq.ParquetFile(file)
            names = table.schema_arrow.names
            paths = next((name for name in _PATHS if name in names), None)
            if any(name in names for name in _CONTENT):
                count = table.metadata.num_rows
                yield from (Photo(printable(f"{place}{_INSIDE}{row}"), place, row) for row in range(count))
            elif paths is not None:
                for row, path in enumerate(table.read([paths])[paths].to_pylist()):
                    yield _named(path, printable(f"{place}{_INSIDE}{row}"))
            else:
                raise DataError(
                    f"{printable(place)} has no column of images ({', '.join((*_CONTENT, *_PATHS))}): rename one"
                )
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"cannot read {printable(place)} as a Parquet table ({printable(reason(error))}): check it"
        ) from None


def _named(path: object, cell: str) -> Photo:
    """The photo of a path in a table."""
    if not isinstance(path, str):
        return Photo(cell, cell, error=f"{cell} contains no path")
    try:
        return find_photo(path)
    except (DataError, ValueError) as error:
        return Photo(path, path, error=f"cannot read {path} ({reason(error)})")


def _cell(place: str, row: int) -> bytes:
    """The encoded image in a row of a table."""
    column, starts = _layout(place)
    group = bisect_right(starts, row) - 1
    value = _row_group(place, group, column)[row - starts[group]].as_py()
    content = value.get("bytes") if isinstance(value, dict) else value  # as Hugging Face stores images
    if not content:
        raise ImageError(f"row {row} of {printable(place)} contains no image")
    return bytes(content)


@lru_cache(maxsize=1)  # photos are read in order, so that the next one is in the same table and mostly the same group
def _layout(place: str) -> tuple[str, list[int]]:
    """The column of encoded images in a table, and the first row of each row group."""
    with _opened(place) as file:
        table = pq.ParquetFile(file)
        sizes = [table.metadata.row_group(group).num_rows for group in range(table.metadata.num_row_groups)]
        column = next(name for name in _CONTENT if name in table.schema_arrow.names)
        return column, list(accumulate(sizes, initial=0))[:-1]


@lru_cache(maxsize=1)
def _row_group(place: str, group: int, column: str) -> Any:
    with _opened(place) as file:
        return pq.ParquetFile(file).read_row_group(group, [column])[column]
