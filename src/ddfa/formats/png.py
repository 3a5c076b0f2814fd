"""Decodes PNG with Pillow, whose errors are exceptions; libpng, as OpenCV uses it, prints lines on the terminal."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from ddfa.arrays import UInt8
from ddfa.formats.exif import orientation as exif_orientation
from ddfa.formats.pixels import on_white, turn_upright


def size(content: bytes) -> tuple[int, int] | None:
    """Width and height in px, from the first chunk; None if that is not the header."""
    if content[12:16] != b"IHDR" or len(content) < 24:
        return None
    width, height = struct.unpack_from(">II", content, 16)
    return int(width), int(height)


def decode(content: bytes) -> UInt8:
    """Decode the image, upright, on white; of an animation the image that other readers show.

    Args:
        content: bytes of the file.

    Returns:
        (H, W, 3) uint8 RGB; 16 bits become 8.

    Raises:
        Exception: of any kind; it is truncated or damaged.
    """
    from PIL.PngImagePlugin import PngImageFile  # not Image.open, which warns of large images

    orientation = _checked_orientation(content)
    opened = PngImageFile(io.BytesIO(content))
    if opened.mode.startswith("I"):  # 16-bit grey
        grey = np.asarray(opened, np.uint16) >> 8
        image = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    elif opened.has_transparency_data:
        image = on_white(np.array(opened.convert("RGBA")))
    else:
        image = np.array(opened.convert("RGB"))
    return turn_upright(image, orientation)


def _checked_orientation(content: bytes) -> int:
    """EXIF orientation of a file whose chunks are whole, with a single header.

    Raises:
        ValueError: a checksum is wrong, the end is missing, or there is a second header, after which readers disagree
            about the size.
    """
    orientation, headers = 1, 0
    for name, checked, checksum in _chunks(content):
        if zlib.crc32(checked) != checksum:
            raise ValueError("wrong checksum")
        if name == b"IEND":
            if headers != 1:
                raise ValueError("several headers")
            return orientation
        headers += name == b"IHDR"
        if name == b"eXIf":
            orientation = exif_orientation(bytes(checked[4:]))
    raise ValueError("no end")


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview, int]]:
    """Yield each complete chunk: its name, the bytes its CRC-32 covers, the CRC-32."""
    view, position = memoryview(content), 8
    while position + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, position)
        end = position + 8 + length
        if end + 4 > len(content):
            return
        (checksum,) = struct.unpack_from(">I", content, end)
        yield bytes(view[position + 4 : position + 8]), view[position + 4 : end], checksum
        position = end + 4
