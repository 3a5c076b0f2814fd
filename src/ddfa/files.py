"""Writing files so that a reader never sees half of one."""

import os
import secrets
from pathlib import Path

from ddfa.errors import OutputError


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
