"""Regular files are read; files are written completely or not at all; members of tars; names for display."""

import hashlib
import os
import posixpath
import re
import secrets
import stat
import tarfile
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

from ddfa.errors import DataError, DDFAError, OutputError, reason

_LARGEST_TAR_HEADER: Final = 1 << 20  # bytes: pax headers and long names have a few hundred


def shipped_bytes(path: Path, sha256: str, what: str, error: type[DDFAError]) -> bytes:
    """Read a file that comes with the package.

    Args:
        path: the file.
        sha256: its expected digest.
        what: how to name it in the message.
        error: class of the error to raise.

    Raises:
        DDFAError: of that class; the file is missing or differs from the one that was shipped.
    """
    try:
        content = path.read_bytes()
    except OSError as cause:
        raise error(f"cannot read {what} {path} ({cause.strerror}): reinstall ddfa") from cause
    if hashlib.sha256(content).hexdigest() != sha256:
        raise error(f"{what} {path} are damaged or altered (SHA-256 differs): reinstall ddfa")
    return content


def read_file(path: Path, error: type[DDFAError]) -> bytes:
    """Read a regular file; a pipe or a device, which could block or never end, is refused at once.

    Args:
        path: the file.
        error: class of the error to raise.

    Raises:
        DDFAError: of that class; the file is missing, a folder, a pipe, a device, or cannot be read.
    """
    check_regular(path, error)
    try:
        return path.read_bytes()
    except OSError as cause:
        raise error(f"cannot read {path} ({cause.strerror}): check the path") from cause


def read_text(path: Path, error: type[DDFAError]) -> str:
    """Read a regular file of UTF-8 text, with or without byte order mark; errors are those of `read_file`."""
    try:
        return read_file(path, error).decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise error(f"{path} is not a text file in UTF-8 ({reason(cause)}): check the path") from None


def check_regular(path: Path, error: type[DDFAError]) -> None:
    """Refuse a path that does not lead to a regular file, for libraries that open files themselves.

    Args:
        path: the file.
        error: class of the error to raise.

    Raises:
        DDFAError: of that class; there is no such file, or it is a folder, a pipe or a device.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as cause:
        raise error(f"{path} does not exist: check the path") from cause
    except (OSError, ValueError) as cause:  # a name with a zero byte is a ValueError
        raise error(f"cannot read {path} ({reason(cause)}): check the path") from cause
    if stat.S_ISDIR(mode):
        raise error(f"{path} is a folder: name a file, or a pattern like {path}/*")
    if not stat.S_ISREG(mode):
        raise error(f"{path} is a pipe or a device, not a file: write its content to a file first")


def make_folder(path: Path) -> Path:
    """Create a folder and its parents, if they do not exist.

    Args:
        path: the folder.

    Returns:
        `path`.

    Raises:
        OutputError: it cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create the folder {path} ({error.strerror}): choose another") from error
    return path


class PendingFile:
    """A file that is written under a temporary name until it is complete.

    For writers that keep a file open over several calls; code that writes a file in one go uses `atomic_path`.

    Args:
        path: the final name; a file that exists there is replaced.

    Attributes:
        path: the final name.
        temporary: where to write, in the same folder and with the same suffix.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # In the same folder, because a rename is atomic only within one file system; with the same suffix, because
        # many libraries choose the format by it.
        self.temporary = path.with_name(f".{secrets.token_hex(8)}.tmp{path.suffix}")

    def commit(self) -> None:
        """Rename the temporary file to its final name.

        Raises:
            OSError: it cannot be renamed.
        """
        os.replace(self.temporary, self.path)

    def discard(self) -> None:
        """Remove the temporary file; does nothing after `commit`."""
        self.temporary.unlink(missing_ok=True)

    def failure(self, error: Exception) -> OutputError:
        """The error to raise where writing failed because of `error`."""
        cause = getattr(error, "strerror", None) or reason(error)
        return OutputError(f"cannot write {self.path} ({cause}): choose another place, or make room")


def remove_temporary(folder: Path) -> None:
    """Remove what killed processes left of files that they were writing; nobody may be writing in the folder.

    Args:
        folder: the folder; others below it are not searched.
    """
    for path in folder.iterdir():
        if re.fullmatch(r"\.[0-9a-f]{16}\.tmp(\..*)?", path.name):
            path.unlink(missing_ok=True)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Write a file completely or not at all: under a temporary name, renamed on success.

        with atomic_path(folder / "labels.npz") as temporary:
            np.savez(temporary, labels=labels)

    Args:
        path: the file; one that exists is replaced, and only on success.

    Yields:
        A path in the same folder with the same suffix, to be written inside the `with` block. It is removed if the
        block fails or is interrupted.

    Raises:
        OutputError: in place of any OSError in the block or while renaming.
    """
    pending = PendingFile(path)
    try:
        try:
            yield pending.temporary
            pending.commit()
        finally:
            pending.discard()
    except OSError as error:
        raise pending.failure(error) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write bytes to a file, completely or not at all; see `atomic_path`.

    Args:
        path: the file; one that exists is replaced.
        content: all its bytes.

    Raises:
        OutputError: the file cannot be written; nothing is left behind.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def printable(name: str) -> str:
    r"""A file name as text that can be stored and printed: bytes that are not UTF-8 become `\xe9` and the like.

    Args:
        name: from Python's functions for files, which represent such bytes by lone surrogates.
    """
    return re.sub("[\ud800-\udfff]", lambda sign: f"\\x{ord(sign[0]) & 0xFF:02x}", name)


def file_name(printed: str) -> str:
    """The file name that `printable` turned into this text."""
    return re.sub(r"\\x([89a-f][0-9a-f])", lambda code: chr(0xDC00 + int(code[1], 16)), printed)


def require_regular(path: str | Path) -> None:
    """Check before opening that a path is not a FIFO, whose opening waits for a writer, nor a device or folder.

    Raises:
        OSError: it is one, or it does not exist.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("not a regular file")


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
