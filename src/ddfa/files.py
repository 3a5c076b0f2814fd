"""Files that are written completely or not at all; where members are stored inside a tar."""

import hashlib
import os
import secrets
import tarfile
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from ddfa.errors import DataError, DDFAError, OutputError, reason


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


def tar_spans(
    opened: Callable[[], AbstractContextManager[Any]], name: str, suffixes: Collection[str]
) -> Iterator[tuple[str, int, int]]:
    """Locate the members of an uncompressed tar, so that any process can read any of them directly.

    Args:
        opened: opens the tar for reading bytes.
        name: of the tar, for the error message.
        suffixes: of the members to return, in lower case.

    Yields:
        Name, offset and length in bytes, in the order of the tar.

    Raises:
        DataError: the tar cannot be read, or is damaged or compressed.
    """
    try:
        with opened() as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                if member.isfile() and PurePosixPath(member.name).suffix.lower() in suffixes:
                    yield member.name, member.offset_data, member.size
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"cannot read {name} as an uncompressed tar ({reason(error)}): unpack it") from None
