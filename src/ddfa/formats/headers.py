"""Format and size of an image from the first bytes of its file, before any pixel is decoded."""

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ddfa.formats import heif, jpeg, png

_MAGIC: Final = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"BM": "BMP",
}
_OLD_BMP: Final = 12  # length of the header of OS/2, with sides of 16 bits
# Tags of TIFF: of the image, and of its tiles, each of which is decoded as a whole.
_WIDTHS: Final = (256, 322)
_HEIGHTS: Final = (257, 323)
_SHORT: Final = 3


def format_of(content: bytes) -> str | None:
    """Name of the format, for messages and for `stored_size`; None if it is none that `ddfa.images` reads."""
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "WebP"
    if heif.is_heic(content):
        return "HEIC"
    if heif.is_avif(content):
        return "AVIF"
    return next((name for magic, name in _MAGIC.items() if content.startswith(magic)), None)


def stored_size(content: bytes, kind: str) -> tuple[int, int] | None:
    """Width and height in px as stored, before any rotation.

    Of an animation this is its canvas, of a file of several pages the first page.

    Args:
        content: bytes of the file.
        kind: from `format_of`.

    Returns:
        The size; None if the header is damaged or ends early.
    """
    try:
        size = _SIZES[kind](content)
    except Exception:  # struct.error, and what the JPEG libraries raise
        return None
    return size if size is not None and min(size) > 0 else None


def _jpeg_size(content: bytes) -> tuple[int, int]:
    header = jpeg.read_header(content)
    return header.width, header.height


def _gif_size(content: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", content, 6)
    return int(width), int(height)


def _bmp_size(content: bytes) -> tuple[int, int]:
    (length,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if length == _OLD_BMP else "<ii", content, 18)
    return abs(int(width)), abs(int(height))  # a negative height: rows from top to bottom


def _webp_size(content: bytes) -> tuple[int, int] | None:
    kind = content[12:16] if len(content) >= 30 else b""
    if kind == b"VP8X":  # the canvas: two numbers of 24 bits, minus 1
        return 1 + int.from_bytes(content[24:27], "little"), 1 + int.from_bytes(content[27:30], "little")
    if kind == b"VP8L":  # two numbers of 14 bits, minus 1
        (bits,) = struct.unpack_from("<I", content, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _tiff_size(content: bytes) -> tuple[int, int]:
    """Of the first directory: at least a tile; of repeated entries the largest, as readers differ in which counts."""
    order = "<" if content.startswith(b"II") else ">"
    (start,) = struct.unpack_from(order + "I", content, 4)
    (count,) = struct.unpack_from(order + "H", content, start)
    width = height = 0
    for position in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(order + "HH", content, position)
        (value,) = struct.unpack_from(order + ("H" if kind == _SHORT else "I"), content, position + 8)
        width, height = max(width, value * (tag in _WIDTHS)), max(height, value * (tag in _HEIGHTS))
    return width, height


_SIZES: Final[Mapping[str, Callable[[bytes], tuple[int, int] | None]]] = MappingProxyType(
    {
        "JPEG": _jpeg_size,
        "PNG": png.size,
        "GIF": _gif_size,
        "BMP": _bmp_size,
        "WebP": _webp_size,
        "TIFF": _tiff_size,
        "AVIF": heif.size,
        "HEIC": heif.size,
    }
)
