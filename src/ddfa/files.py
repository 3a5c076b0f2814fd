"""Regular files are read, others refused; files are written completely or not at all; names for display."""

import errno
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ddfa.errors import DDFAError, DiskFullError, OutputError, reason

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)
LARGEST: Final = 1 << 30
"""Bytes of a file that is read into memory, unless a caller names another limit."""
LARGEST_TEXT: Final = 1 << 28
"""Bytes of a text file, whose parsed values take several times as much."""


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


def read_file(path: Path, error: type[DDFAError], largest: int = LARGEST) -> bytes:
    """Read a regular file; a pipe or a device, which could block or never end, is refused at once.

    Args:
        path: the file.
        error: class of the error to raise.
        largest: maximum size, bytes.

    Raises:
        DDFAError: of that class; the file is missing, a folder, a pipe, a device, too large, or cannot be read.
    """
    check_regular(path, error)
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)  # the size on disk is not asked for: it may change meanwhile
    except OSError as cause:
        raise error(f"cannot read {path} ({cause.strerror}): check the path") from cause
    if len(content) > largest:
        raise error(f"{path} is larger than {largest >> 20} MB, the limit for such files: check the path")
    return content


def read_text(path: Path, error: type[DDFAError], largest: int = LARGEST_TEXT) -> str:
    """Read a regular file of UTF-8 text, with or without byte order mark; errors are those of `read_file`."""
    try:
        return read_file(path, error, largest).decode("utf-8-sig")
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


def require_regular(path: str | Path) -> None:
    """Check before opening that a path is not a FIFO, whose opening waits for a writer, nor a device or folder.

    Raises:
        OSError: it is one, or it does not exist.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("not a regular file")


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


def check_existing(overwrite: bool, files: Iterable[Path | None]) -> None:
    """Refuse to replace a file, before any work is done for it.

    Args:
        overwrite: whether files may be replaced.
        files: to be written; None is none.

    Raises:
        OutputError: one of them exists.
    """
    for file in files:
        if not overwrite and file is not None and file.exists():
            raise OutputError(f"{file} exists: name another file, or leave out --no-overwrite")


def parts_folder(path: Path) -> Path:
    """The folder beside a file that holds its finished parts until it is complete."""
    return path.with_name(path.name + ".parts")


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
        kind = DiskFullError if getattr(error, "errno", None) in _NO_ROOM else OutputError
        return kind(f"cannot write {self.path} ({cause}): choose another place, or make room")


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
