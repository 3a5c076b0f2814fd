"""Formats of the video files that are written, by suffix."""

from fractions import Fraction
from pathlib import Path
from typing import Final, NamedTuple

import av
from av.container import OutputContainer

from ddfa.errors import OutputError

CLOCK: Final = Fraction(1, 90_000)
"""Seconds; divides all usual frame rates."""


class Format(NamedTuple):
    """A format.

    Attributes:
        container: FFmpeg's name of it.
        codec: FFmpeg's name of the encoder.
        options: of the encoder.
    """

    container: str
    codec: str
    options: dict[str, str]


# Visually lossless, and fast enough to encode while the network runs, on two cores.
_H264: Final = ("libx264", {"crf": "18", "preset": "veryfast"})
_FORMATS: Final = {
    ".mp4": Format("mp4", *_H264),
    ".m4v": Format("mp4", *_H264),
    ".mov": Format("mov", *_H264),
    ".mkv": Format("matroska", *_H264),
    ".webm": Format("webm", "libvpx-vp9", {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "8"}),
}


def format_of(path: Path) -> Format:
    """The format that the suffix of a file names.

    Raises:
        OutputError: an unknown suffix.
    """
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise OutputError(f"cannot write {path}: use one of the suffixes {', '.join(_FORMATS)}")
    return _FORMATS[suffix]


def create_container(path: Path, form: Format, metadata: dict[str, str]) -> OutputContainer:
    """Create a file with tags, for streams to be added."""
    # The index goes first, for web players; custom tags need a flag.
    flags = "+faststart" + "+use_metadata_tags" * bool(metadata)
    options = {"movflags": flags} if form.container in ("mp4", "mov") else {}
    container = av.open(str(path), "w", format=form.container, options=options)
    container.metadata.update(metadata)
    return container
