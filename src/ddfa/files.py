"""Writing files so that a reader never sees half of one; where the files of a tar lie."""

import hashlib
import os
import secrets
import tarfile
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Any

from ddfa.errors import DataError, DDFAError, OutputError, reason


def shipped_bytes(path: Path, sha256: str, what: str, error: type[DDFAError]) -> bytes:
    """Read a file that comes with the package.

    Args:
        path: the file.
        sha256: that it has.
        what: its name in the message.
        error: what to raise.

    Raises:
        DDFAError: of that kind; the file is missing, or another one.
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
        OutputError: if it cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create the folder {path} ({error.strerror}): choose another") from error
    return path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all: to a temporary sibling, then renamed.

    Args:
        path: the file; one that exists is replaced.
        content: all its bytes.

    Raises:
        OutputError: if it cannot be written; nothing is left behind then.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        try:
            temporary.write_bytes(content)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror}): choose another place") from error


def tar_spans(
    opened: Callable[[], AbstractContextManager[Any]], name: str, suffixes: Collection[str]
) -> Iterator[tuple[str, int, int]]:
    """Where the files of an uncompressed tar lie in it, so that any process can read any of them.

    Args:
        opened: opens the tar for reading bytes.
        name: of the tar, for the error.
        suffixes: of the files that are asked for, in small letters.

    Yields:
        Name, offset and length in bytes, in the order of the tar.

    Raises:
        DataError: it cannot be read, or is damaged or compressed.
    """
    try:
        with opened() as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                if member.isfile() and PurePosixPath(member.name).suffix.lower() in suffixes:
                    yield member.name, member.offset_data, member.size
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"cannot read {name} as an uncompressed tar ({reason(error)}): unpack it") from None
