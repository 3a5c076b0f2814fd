"""Members of uncompressed tars, located so that any process can read any of them; nothing is unpacked."""

import os
import posixpath
import tarfile
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

from ddfa.errors import DataError, reason
from ddfa.files import printable

_LARGEST_TAR_HEADER: Final = 1 << 20  # bytes: pax headers and long names have a few hundred


class TarMember(NamedTuple):
    """Where a member is stored inside a tar.

    Attributes:
        name: its path; empty for damage after which no further member can be located.
        start: offset of its content, bytes.
        length: of its content, bytes.
        fault: why its content cannot be read; empty if it can.
    """

    name: str
    start: int
    length: int
    fault: str = ""


def tar_members(
    opened: Callable[[], AbstractContextManager[Any]], name: str, suffixes: Collection[str]
) -> Iterator[TarMember]:
    """Locate the members of an uncompressed tar, so that any process can read any of them directly.

    Links are followed to earlier members; sparse members, devices and members that do not fit into the tar have a
    fault. Headers are not trusted: sizes are checked before they are used.

    Args:
        opened: opens the tar for reading bytes.
        name: of the tar, for the error message.
        suffixes: of the members to return, in lower case.

    Yields:
        The members, in the order of the tar.

    Raises:
        DataError: the file cannot be opened, or its first header is not one of a tar.
    """
    end = 0  # of the last member that was located
    begun = False
    try:
        with opened() as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            _check_header(file.read(tarfile.BLOCKSIZE))
            file.seek(0)
            begun = True
            with tarfile.open(fileobj=_SmallReads(file), mode="r:") as archive:  # type: ignore[call-overload]
                known: dict[str, TarMember] = {}
                for entry in archive:
                    if entry.offset_data < end:
                        raise tarfile.ReadError(f"impossible offset of {printable(entry.name)}")
                    end = entry.offset_data + (entry.size if entry.isreg() and not entry.issparse() else 0)
                    if entry.isdir():
                        continue
                    known[entry.name] = _located(entry, known, size)
                    if PurePosixPath(entry.name).suffix.lower() in suffixes:
                        yield known[entry.name]
                    if entry.size < 0 or end > size:
                        return
                file.seek(archive.offset)  # where tarfile stopped, also without a word at a damaged header
                _check_header(file.read(tarfile.BLOCKSIZE))
    except Exception as error:  # tarfile raises many kinds, and so does every file system
        if not begun:
            raise DataError(
                f"cannot read {printable(name)} as an uncompressed tar ({reason(error)}): unpack it"
            ) from None
        yield TarMember("", end, 0, f"damaged at byte {end}: {printable(reason(error))[:80]}")


def tar_spans(
    opened: Callable[[], AbstractContextManager[Any]], name: str, suffixes: Collection[str]
) -> Iterator[tuple[str, int, int]]:
    """Locate the members of an uncompressed tar, all of which must be readable; see `tar_members`.

    Yields:
        Name, offset and length in bytes, in the order of the tar.

    Raises:
        DataError: the tar cannot be read, or is damaged or compressed.
    """
    for member in tar_members(opened, name, suffixes):
        if member.fault:
            raise DataError(
                f"cannot read {printable(f'{name}: {member.name}'.rstrip(': '))} ({member.fault}): unpack it"
            )
        yield member.name, member.start, member.length


def _check_header(block: bytes) -> None:
    """Raise what tarfile says of a block that is neither a header nor the end of a tar."""
    if block.strip(b"\0"):
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")


def _located(entry: tarfile.TarInfo, known: dict[str, TarMember], size: int) -> TarMember:
    if entry.islnk() or entry.issym():
        folder = posixpath.dirname(entry.name) if entry.issym() else ""
        target = known.get(posixpath.normpath(posixpath.join(folder, entry.linkname)), known.get(entry.linkname))
        if target is None:
            return TarMember(
                entry.name, entry.offset_data, 0, f"a link to {printable(entry.linkname)}, not found before it"
            )
        return target._replace(name=entry.name)
    member = TarMember(entry.name, entry.offset_data, entry.size)
    if not entry.isreg():
        return member._replace(fault="not a regular file")
    if entry.issparse():
        return member._replace(fault="a sparse file: pack the tar without --sparse")
    if not 0 <= entry.size <= size - entry.offset_data:
        return member._replace(fault=f"{entry.size} bytes, which the tar does not have")
    return member


class _SmallReads:
    """A file for tarfile, which reads extended headers of any size, also negative, into memory."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _LARGEST_TAR_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return bytes(self._file.read(size))
