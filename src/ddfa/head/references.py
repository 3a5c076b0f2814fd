"""Pickles of head models: one that comes from a file travels as its path and SHA-256, not as tens of megabytes."""

import hashlib
from functools import lru_cache
from pathlib import Path

from ddfa.errors import ModelError
from ddfa.head.model import HeadModel
from ddfa.head.open import OPEN_HEAD
from ddfa.head.readers import load_head, original_files


def digest(path: Path | None) -> str:
    """SHA-256 of the files of a head model; None for the shipped open head.

    Raises:
        ModelError: they cannot be read.
    """
    if path is None or path.suffix == ".npz":
        files = [OPEN_HEAD if path is None else path]
    else:
        files = [file for _, file in sorted(original_files(path).items())]
    found = hashlib.sha256()
    try:
        for file in files:
            found.update(file.read_bytes())
    except OSError as error:
        raise ModelError(f"the head model of a pickle is not here: {error}") from None
    return found.hexdigest()


@lru_cache(maxsize=8)
def reopen(path: Path | None, sha256: str) -> HeadModel:
    """Load the head model that a pickle refers to, once per process.

    Args:
        path: as for `HeadModel.load`.
        sha256: of its files.

    Raises:
        ModelError: it is not here, or is another one than that which was pickled.
    """
    if path is not None and not path.exists():
        raise ModelError(f"a pickle refers to the head model {path}, which is not here: copy it to that place")
    if digest(path) != sha256:
        name = "the open head of another version of this package" if path is None else f"another file than {path}"
        raise ModelError(f"a pickle refers to {name}: align the photo again")
    return load_head(path)
