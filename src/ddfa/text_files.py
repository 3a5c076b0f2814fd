"""Reads JSON and YAML that anybody may have written: every fault is one line, and nothing grows when it is read."""

import json
from pathlib import Path
from typing import Any, Final

from ddfa.errors import DDFAError, reading
from ddfa.files import LARGEST_TEXT, read_text

_MOST_NODES: Final = 100_000  # values of a YAML file after aliases are replaced by what they stand for


def read_json(path: Path, error: type[DDFAError], largest: int = LARGEST_TEXT) -> Any:
    """Read a JSON file.

    Args:
        path: a regular file of UTF-8 text.
        error: class of the error to raise.
        largest: maximum size, bytes.

    Returns:
        Its plain values.

    Raises:
        DDFAError: of that class; it cannot be read or is not JSON.
    """
    text = read_text(path, error, largest)
    with reading(path, error, "not valid JSON", "fix the file"):
        return json.loads(text)


def read_yaml(path: Path, error: type[DDFAError]) -> Any:
    """Read a YAML file; needs PyYAML (extra `train`).

    Args:
        path: a regular file of UTF-8 text.
        error: class of the error to raise.

    Returns:
        Its plain values.

    Raises:
        DDFAError: of that class; it cannot be read, is not YAML, contains itself, or more than 100,000 values once its
            aliases are replaced.
    """
    import yaml  # imported on use: inference does not need it

    text = read_text(path, error)
    with reading(path, error, "not valid YAML", "fix the file"):
        if _size(yaml.compose(text, yaml.SafeLoader), {}) > _MOST_NODES:
            raise ValueError(f"more than {_MOST_NODES:,} values")
        return yaml.safe_load(text)


def _size(node: Any, known: dict[int, int | None]) -> int:
    """Number of values of a composed YAML node, each alias counted with all that it stands for.

    Args:
        node: of PyYAML.
        known: sizes of nodes counted before; None while a node is being counted.

    Raises:
        ValueError: the node contains itself.
    """
    if id(node) not in known:
        known[id(node)] = None
        parts = node.value if hasattr(node, "flow_style") else ()  # of a list, nodes; of a mapping, pairs of them
        inner = [part for entry in parts for part in (entry if isinstance(entry, tuple) else (entry,))]
        known[id(node)] = 1 + sum(_size(part, known) for part in inner)
    size = known[id(node)]
    if size is None:
        raise ValueError("it contains itself")
    return size
