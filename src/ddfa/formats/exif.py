"""The orientation of a photo in its EXIF block."""

import struct
from typing import Final

TRANSPOSED: Final = (5, 6, 7, 8)  # orientations that swap width and height
_TAG: Final = 0x0112


def orientation(exif: bytes) -> int:
    """Read the orientation from an EXIF block (a TIFF header and its first directory).

    Args:
        exif: the block, with or without `Exif` in front.

    Returns:
        1 to 8; 1 if there is none.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = "<" if exif[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for entry in range(count):
            tag, _, _, value = struct.unpack_from(order + "HHIH", exif, start + 2 + 12 * entry)
            if tag == _TAG:
                return int(value)
    except struct.error:  # a damaged block does not affect the pixels
        pass
    return 1
