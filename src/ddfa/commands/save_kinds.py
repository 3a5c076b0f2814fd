"""Kinds of files on the command line: --save ply,json."""

from collections.abc import Sequence

from ddfa.errors import OutputError


def parse_kinds(save: str, known: Sequence[str]) -> tuple[str, ...]:
    """The kinds of files that a list asks for, each once.

    Args:
        save: kinds separated by commas.
        known: those there are.

    Raises:
        OutputError: one is not known, or there is none.
    """
    kinds = tuple(dict.fromkeys(word.strip().lower() for word in save.split(",") if word.strip()))
    unknown = [kind for kind in kinds if kind not in known]
    if unknown or not kinds:
        raise OutputError(f"--save does not know '{', '.join(unknown)}': choose from {','.join(known)}")
    return kinds
