"""Long work in parts on disk: a run that was stopped goes on, unless its settings have changed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddfa.errors import DataError
from ddfa.files import make_folder, write_atomically

PARTS = "parts"
_SETTINGS = "settings.json"


def begin_parts(output: Path, settings: Mapping[str, Any]) -> Path:
    """Open the folder of a run's parts, new or begun before.

    Args:
        output: the data set folder of the run.
        settings: all that the parts depend on.

    Returns:
        `output / "parts"`.

    Raises:
        DataError: the folder holds parts made with other settings.
        OutputError: it cannot be written.
    """
    folder = make_folder(output / PARTS)
    wanted = json.dumps({key: str(value) for key, value in settings.items()}, indent=2, sort_keys=True)
    path = folder / _SETTINGS
    if not path.is_file():
        write_atomically(path, wanted.encode())
    elif path.read_text(encoding="utf-8") != wanted:
        raise DataError(f"{output} was begun with other settings ({path}): choose another output or remove it")
    return folder
