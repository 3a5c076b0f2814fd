"""Photos named on the command line, files, folders and glob patterns, and the files made of them."""

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tyro.conf import arg

from ddfa.errors import DataError, ImageError
from ddfa.export.kinds import kinds_help
from ddfa.images import IMAGE_SUFFIXES
from ddfa.options import none_is

KINDS_OPTION: Final = arg(metavar="KINDS", help=kinds_help(), help_behavior_hint=none_is("see above"))
"""--save: kinds of files."""


def list_photos(given: Sequence[Path], output: Path) -> list[Path]:
    """List the photos that arguments name, each once.

    Args:
        given: files, which are taken whatever their suffix; folders, searched with their subfolders; glob patterns,
            `**` for any subfolder.
        output: folder for results; it is not searched, so that a second run does not process overlays.

    Returns:
        The files in the order of the arguments, those of a folder or pattern sorted by path.

    Raises:
        ImageError: a folder contains no image, or a pattern matches none.
    """
    found = [photo for argument in given for photo in _photos_of(argument, output)]
    return list(dict.fromkeys(found))


def first(photos: Sequence[Path], limit: int) -> tuple[Path, ...]:
    """The first photos, see `ddfa.options.Limit`.

    Raises:
        DataError: the limit is negative.
    """
    if limit < 0:
        raise DataError(f"--limit {limit}: give 0 for all photos, or a positive number")
    return tuple(photos[: limit or None])


def _photos_of(argument: Path, output: Path) -> list[Path]:
    if argument.is_dir():
        photos = _images(argument.rglob("*"), argument, output)
        if not photos:
            raise ImageError(f"{argument} contains no photos ({', '.join(IMAGE_SUFFIXES)}): name another folder")
        return photos
    if any(sign in str(argument) for sign in "*?[") and not argument.exists():
        photos = _images(map(Path, glob.glob(str(argument), recursive=True)), None, output)
        if not photos:
            raise ImageError(f"no photo matches {argument}: check the pattern")
        return photos
    return [argument]


def _images(paths: Iterable[Path], root: Path | None, output: Path) -> list[Path]:
    """The image files among paths, sorted, without hidden ones of the root folder and those in the output folder."""
    inside = output.resolve()
    searched_output = root is not None and root.resolve().is_relative_to(inside)

    def wanted(path: Path) -> bool:
        if path.suffix.lower() not in IMAGE_SUFFIXES or not path.is_file():
            return False
        hidden = root is not None and any(part.startswith(".") for part in path.relative_to(root).parts)
        return not hidden and (searched_output or not path.resolve().is_relative_to(inside))

    return sorted(path for path in paths if wanted(path))
