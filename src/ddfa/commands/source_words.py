"""Parses the sources of `ddfa replace`: photos, each with the face it shows and, after a colon, whom it replaces."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from ddfa.errors import DDFAError
from ddfa.images import IMAGE_SUFFIXES

Who: TypeAlias = int | Path | None
"""A face of the target: its number, a photo of the person, or None for all."""
_SUFFIXES: Final = "|".join(map(re.escape, IMAGE_SUFFIXES))
# The colon follows a suffix, so that those of Windows drives do not count.
_WORD: Final = re.compile(rf"(?P<photo>.+?(?:{_SUFFIXES}))(?:#(?P<face>[^:]*))?(?::(?P<who>.*))?", re.IGNORECASE)


@dataclass(frozen=True)
class SourceWords:
    """One source person as named on the command line.

    Attributes:
        photos: files.
        faces: which face of each photo, 0 is the largest.
        who: whom the person replaces.
    """

    photos: tuple[Path, ...]
    faces: tuple[int, ...]
    who: Who

    @property
    def name(self) -> str:
        """For messages."""
        return str(self.photos[0])


def parse_sources(words: Sequence[str], face: str | None = None, source_face: int = 0) -> list[SourceWords]:
    """Parse the sources.

    Args:
        words: PHOTO, PHOTO:WHO, PHOTO#N or PHOTO#N:WHO; photos with the same WHO show one person.
        face: WHO of photos that do not name it themselves, 0 by default.
        source_face: N of photos that do not name it themselves.

    Returns:
        The persons, in the order of their first photos.

    Raises:
        DDFAError: a number is none, some photos name whom they replace and others do not, or `face` is given although
            they do.
    """
    if source_face < 0:
        raise DDFAError(f"--source-face {source_face}: give a number from 0")
    named = [_parse(word, source_face) for word in words]
    pairs = [who for _, _, who in named if who is not None]
    if pairs and len(pairs) < len(words):
        alone = next(word for word, (_, _, who) in zip(words, named, strict=True) if who is None)
        raise DDFAError(
            f"{alone} does not say whom it replaces, but other sources do: write {alone}:0 or {alone}:PHOTO"
        )
    if pairs and face is not None:
        raise DDFAError(f"--face {face}: the sources name whom they replace ({words[0]}), leave --face out")
    people: dict[Who, list[tuple[Path, int]]] = {}
    for word, (photo, number, who) in zip(words, named, strict=True):
        whom = _parse_who(face or "0", "--face") if who is None else _parse_who(who, f"{word}: what follows the colon")
        people.setdefault(whom, []).append((photo, number))
    return [
        SourceWords(tuple(photo for photo, _ in shown), tuple(number for _, number in shown), whom)
        for whom, shown in people.items()
    ]


def names_pair(word: str) -> bool:
    """Whether a word is PHOTO:WHO or PHOTO#N, not a file."""
    match = _WORD.fullmatch(word)
    return match is not None and match["photo"] != word and not Path(word).exists()


def _parse(word: str, source_face: int) -> tuple[Path, int, str | None]:
    match = _WORD.fullmatch(word)
    if match is None or not names_pair(word):
        return Path(word), source_face, None
    number = match["face"]
    if number is not None and not number.isdecimal():
        raise DDFAError(f"{word}: after # comes the number of a face in that photo, from 0")
    return Path(match["photo"]), source_face if number is None else int(number), match["who"]


def _parse_who(word: str, option: str) -> Who:
    if word == "all":
        return None
    if Path(word).suffix.lower() in IMAGE_SUFFIXES:
        return Path(word)
    if not word.isdecimal():
        raise DDFAError(f"{option} is a number from 0, all, or a photo of the person, not '{word}'")
    return int(word)
