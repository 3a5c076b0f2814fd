"""The settings of a data set: of its parts while it is made, and of the whole in its manifest."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddfa import __version__
from ddfa.data.sets.dataset import LABEL_FILE
from ddfa.data.sets.labels import FORMAT, Labels
from ddfa.errors import DataError
from ddfa.files import make_folder, write_atomically
from ddfa.jobs import check_settings

MANIFEST_FILE = "manifest.json"
PARTS = "parts"
_SETTINGS = "settings.json"


def begin_parts(output: Path, settings: Mapping[str, Any]) -> Path:
    """Open the folder for the parts of a data set, a new one or that of a run to be resumed.

    Args:
        output: the data set folder.
        settings: all that the parts depend on.

    Returns:
        `output / "parts"`.

    Raises:
        DataError: the folder holds parts made with other settings.
        OutputError: it cannot be written.
    """
    folder = make_folder(output / PARTS)
    check_settings(folder / _SETTINGS, {key: str(value) for key, value in sorted(settings.items())})
    return folder


def write_manifest(
    folder: Path,
    made_by: str,
    labels: Labels,
    settings: Mapping[str, Any],
    seed: int | None = None,
    counts: Mapping[str, int] | None = None,
) -> None:
    """Describe a finished data set in its folder; the last file to be written.

    Args:
        folder: the data set, whose label file exists.
        made_by: the command.
        labels: the contents of the label file.
        settings: everything that the labels and images depend on.
        seed: of everything random, if anything is.
        counts: further counts, such as that of rejected photos.

    Raises:
        DataError: there is no label file.
        OutputError: the manifest cannot be written.
    """
    try:
        digest = hashlib.sha256((folder / LABEL_FILE).read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"{folder} has no {LABEL_FILE} ({error.strerror}): make it with `ddfa data label`") from error
    content = {
        "format": FORMAT,
        "made_by": made_by,
        "version": __version__,
        "pictures": len(labels),
        "sources": len(set(labels.sources or labels.names)),
        **(counts or {}),
        "head": labels.head,
        "seed": seed,
        "settings": {key: str(value) for key, value in settings.items()},
        "labels_sha256": digest,
    }
    write_atomically(folder / MANIFEST_FILE, (json.dumps(content, indent=2) + "\n").encode())
