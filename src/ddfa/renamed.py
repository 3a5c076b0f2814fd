"""Renamed commands and options: the old names work for one more version and print a line with the new name."""

from collections.abc import Mapping
from typing import Final

COMMANDS: Final[Mapping[tuple[str, ...], tuple[str, ...]]] = {
    ("export",): ("models", "convert"),
    ("train-covering",): ("train-occlusion",),
    ("bench", "openings"): ("bench", "apertures"),
}
OPTIONS: Final[Mapping[tuple[str, ...], Mapping[str, str]]] = {
    ("models", "convert"): {"mirrored": "flip-tta", "beside": "ensemble"},
    ("train",): {
        "rate": "lr",
        "decay": "weight-decay",
        "clip": "grad-clip",
        "average": "ema",
        "batch": "batch-size",
    },
    ("train-occlusion",): {"rate": "lr", "batch": "batch-size"},
    ("video",): {"rate": "fps"},
    ("bench", "pose"): {"limit": "max-angle"},
    ("bench", "jitter"): {"frames": "limit", "smooth": "smoothed"},
    ("head", "show"): {"model": "head"},
    ("train-proposals",): {"limit": "faces"},
}


def current_command(words: list[str]) -> tuple[list[str], list[str]]:
    """Replace the old name of a command at the start of a command line.

    Args:
        words: the command line after `ddfa`.

    Returns:
        The words with the current name, and a note for each name that was replaced.
    """
    for old, new in COMMANDS.items():
        if tuple(words[: len(old)]) == old:
            return [*new, *words[len(old) :]], [_note(" ".join(old), " ".join(new))]
    return words, []


def current_options(command: tuple[str, ...], words: list[str]) -> tuple[list[str], list[str]]:
    """Replace old names of a command's options.

    Args:
        command: current name of the command.
        words: the words after it.

    Returns:
        The words with the current names, and a note for each name that was replaced.
    """
    renamed = OPTIONS.get(command, {})
    current, notes = [], []
    for word in words:
        name, equals, value = word.partition("=")
        option = name.removeprefix("--no-") if name.startswith("--no-") else name.removeprefix("--")
        if name.startswith("--") and option in renamed:
            new = name[: len(name) - len(option)] + renamed[option]
            notes.append(_note(name, new))
            word = f"{new}{equals}{value}"
        current.append(word)
    return current, notes


def _note(old: str, new: str) -> str:
    return f"'{old}' is now '{new}'; the old name will stop working in the next version"
