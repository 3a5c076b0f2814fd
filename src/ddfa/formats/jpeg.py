"""Decodes JPEG with libjpeg-turbo: the pixels of OpenCV, at its speed, but without lines on the terminal.

simplejpeg decodes files without faults, Pillow, which takes up to twice as long, faulty ones and CMYK.
"""

import io
import struct
from typing import Any, Final, NamedTuple

import numpy as np
import simplejpeg

from ddfa.arrays import UInt8
from ddfa.formats import exif
from ddfa.formats.pixels import turn_upright

FACTORS: Final = (8, 4, 2)
"""By which the decoder can reduce an image."""
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers of segments that contain the size
_EXIF: Final = 0xE1
_END: Final = b"\xff\xd9"


class Header(NamedTuple):
    """What a JPEG file says before its pixels.

    Attributes:
        width: as stored, px.
        height: as stored, px.
        orientation: of EXIF, 1 to 8.
        is_simple: whether it is grey or YCbCr; CMYK and rarities are decoded by Pillow.
        start: position of the segment that contains the size; 0 if unknown.
    """

    width: int
    height: int
    orientation: int
    is_simple: bool
    start: int


def read_header(content: bytes) -> Header:
    """Read the header.

    Raises:
        Exception: of any kind; it is damaged.
    """
    orientation, start = _segments(content)
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(content, strict=False)
    except Exception:
        width, height = _opened(content).size
        return Header(width, height, orientation, False, start)
    return Header(width, height, orientation, colours in ("YCbCr", "Gray"), start)


def decode(content: bytes, header: Header, factor: int = 1) -> UInt8:
    """Decode the pixels, upright.

    A file of full length whose content is damaged is decoded as viewers show it.

    Args:
        content: bytes of the file.
        header: its header.
        factor: 1 or one of `FACTORS`, by which width and height are divided, rounded up.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        Exception: of any kind; it is truncated or damaged.
    """
    image = _strict(content, header, factor) if header.is_simple else None
    if image is None:
        opened = _opened(content)
        opened.draft(None, (max(1, header.width // factor), max(1, header.height // factor)))
        image = np.array(opened.convert("RGB"))
    return turn_upright(image, header.orientation)


def _strict(content: bytes, header: Header, factor: int) -> UInt8 | None:
    """Decode a file without any fault; None if it is of full length, but faulty.

    Raises:
        ValueError: it is truncated.
    """
    sides = {"min_width": -(-header.width // factor), "min_height": -(-header.height // factor)}
    is_whole = content.find(_END, header.start) >= 0
    try:
        # With an end that some cameras forget, the decoder's complaint is about missing pixels.
        return np.asarray(simplejpeg.decode_jpeg(content if is_whole else content + _END, **sides), np.uint8)
    except ValueError:
        if not is_whole:
            raise
        return None


def _opened(content: bytes) -> Any:
    from PIL.JpegImagePlugin import JpegImageFile  # not Image.open, which warns of large images

    return JpegImageFile(io.BytesIO(content))


def _segments(content: bytes) -> tuple[int, int]:
    """EXIF orientation, and position of the segment that contains the size (0: not found)."""
    orientation, position = 1, 2
    while position + 9 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xFF:  # any number of fill bytes may precede a marker
            position += 1
            continue
        if marker in _FRAMES:
            return orientation, position
        (length,) = struct.unpack_from(">H", content, position + 2)
        segment = content[position + 4 : position + 2 + length]
        if marker == _EXIF and segment.startswith(b"Exif"):  # APP1 segments may also hold XMP
            orientation = exif.orientation(segment)
        position += 2 + length
    return orientation, 0
