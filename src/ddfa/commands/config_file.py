"""`--config FILE.yaml`: read options from a file; options on the command line override it."""

from pathlib import Path
from typing import Any

from ddfa.errors import DataError
from ddfa.text_files import read_yaml

_OPTION = "--config"


def expand_config(words: list[str]) -> list[str]:
    """Replace `--config FILE` by the options in the file.

    Keys are the names of the options; groups are mappings, several values are lists:

        data: [data/real, data/profile]
        loss: {wpdc: 1, landmark: 2}
        resume: true

    Args:
        words: after the name of a command.

    Returns:
        The options of the file, then the other words, so that the command line overrides the file.

    Raises:
        DataError: the file is missing or is not a YAML mapping.
    """
    if _OPTION not in words:
        return words
    place = words.index(_OPTION)
    if place + 1 == len(words):
        raise DataError(f"{_OPTION} needs a file: {_OPTION} FILE.yaml")
    path = Path(words[place + 1])
    found = _as_words(_read(path))
    if any("\0" in word for word in found):  # no argument of a command can contain one
        raise DataError(f"{path} contains a zero byte: remove it")
    return found + words[:place] + words[place + 2 :]


def _read(path: Path) -> dict[str, Any]:
    content = read_yaml(path, DataError)
    if not isinstance(content, dict):
        raise DataError(f"{path} is not a YAML mapping of options to values")
    return content


def _as_words(settings: dict[str, Any], prefix: str = "--") -> list[str]:
    words: list[str] = []
    for key, value in settings.items():
        name = f"{prefix}{str(key).replace('_', '-')}"
        if isinstance(value, dict):
            words += _as_words(value, f"{name}.")
        elif isinstance(value, bool):
            words.append(name if value else f"{prefix}no-{name.removeprefix(prefix)}")
        else:
            words += [name, *map(str, value if isinstance(value, list) else [value])]
    return words
