"""Reads the HEIF container of AVIF and HEIC images (ISO/IEC 23008-12), and decodes HEIC images.

OpenCV decodes the pixels of AVIF but ignores the rotation and mirroring (boxes `irot` and `imir`) that the container
prescribes; HEIC needs the package pillow-heif (extra `heic`), which applies them itself.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from ddfa.arrays import UInt8
from ddfa.errors import ImageError
from ddfa.formats.pixels import on_white

_AVIF_BRANDS: Final = frozenset((b"avif", b"avis"))
_HEIC_BRANDS: Final = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))


class _Property(NamedTuple):
    kind: bytes
    content: memoryview


def is_avif(content: bytes) -> bool:
    """Whether a file is an AVIF image, by the brands at its beginning."""
    return bool(_brands(content) & _AVIF_BRANDS)


def is_heic(content: bytes) -> bool:
    """Whether a file is a HEIF image with another codec than AV1, usually HEVC, by the brands at its beginning."""
    brands = _brands(content)
    return bool(brands & _HEIC_BRANDS) and not brands & _AVIF_BRANDS


def size(content: bytes) -> tuple[int, int] | None:
    """Width and height in px of the main image as stored, before any rotation; None if the container has none."""
    for kind, values in _properties_of_main_image(content):
        if kind == b"ispe" and len(values) >= 12:
            width, height = struct.unpack_from(">II", values, 4)
            return int(width), int(height)
    return None


def turn_upright(image: UInt8, content: bytes) -> UInt8:
    """Apply the rotation and mirroring that a container prescribes for its main image.

    EXIF orientation is ignored in HEIF containers, as the standard demands.

    Args:
        image: (H, W, 3) uint8, as stored.
        content: bytes of the file.

    Returns:
        (H, W, 3) or (W, H, 3) uint8, contiguous.
    """
    for kind, values in _properties_of_main_image(content):
        if kind == b"irot" and len(values):  # quarter turns counter-clockwise
            image = np.rot90(image, values[0] & 3)
        elif kind == b"imir" and len(values):  # 0: exchange top and bottom; 1: left and right
            image = image[:, ::-1] if values[0] & 1 else image[::-1]
    return np.ascontiguousarray(image)


def require_heic(name: object) -> None:
    """Check that HEIC can be decoded.

    Args:
        name: name of the image, for the error message.

    Raises:
        ImageError: pillow-heif is not installed.
    """
    try:
        import pillow_heif  # noqa: F401
    except ModuleNotFoundError:
        raise ImageError(
            f"{name} is a HEIC image, which needs pillow-heif: pip install 'openddfa[heic]', or convert it to JPEG"
        ) from None


def decode_heic(content: bytes) -> UInt8:
    """Decode a HEIC image, upright; transparency is composited on white, more than 8 bits become 8.

    Args:
        content: bytes of the file.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        Exception: of any kind; pillow-heif is not installed, or the image is damaged.
    """
    import pillow_heif

    opened: Any = pillow_heif.open_heif(content, convert_hdr_to_8bit=True, bgr_mode=False)
    pixels = np.asarray(opened)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return on_white(pixels) if pixels.shape[2] == 4 else np.ascontiguousarray(pixels[..., :3], np.uint8)


def _brands(content: bytes) -> frozenset[bytes]:
    """The brands of an ISO base media file; none if it is another file."""
    if content[4:8] != b"ftyp":
        return frozenset()
    end = min(struct.unpack_from(">I", content)[0], len(content))
    return frozenset(content[start : start + 4] for start in (8, *range(16, end - 3, 4)))


def _properties_of_main_image(content: bytes) -> list[_Property]:
    """The properties of the primary item, in the order in which they apply; none if the container is damaged."""
    try:
        (meta,) = (box for kind, box in _boxes(memoryview(content)) if kind == b"meta")
        inner = dict(_boxes(meta[4:]))
        shared = dict(_boxes(inner[b"iprp"]))
        properties = [_Property(kind, values) for kind, values in _boxes(shared[b"ipco"])]
        wide_id = inner[b"pitm"][0] > 0
        (main,) = struct.unpack_from(">I" if wide_id else ">H", inner[b"pitm"], 4)
        return [properties[number - 1] for number in _associations(shared[b"ipma"], main) if number]
    except (KeyError, ValueError, IndexError, struct.error):
        return []


def _associations(box: memoryview, item: int) -> list[int]:
    """The numbers, from 1, of the properties that the box `ipma` assigns to an item."""
    wide_id, wide_number = box[0] > 0, bool(box[3] & 1)
    (count,) = struct.unpack_from(">I", box, 4)
    position = 8
    for _ in range(count):
        (owner,) = struct.unpack_from(">I" if wide_id else ">H", box, position)
        position += 4 if wide_id else 2
        length = box[position]
        # The first bit of each number says whether a reader must know the property.
        numbers = struct.unpack_from(f">{length}{'H' if wide_number else 'B'}", box, position + 1)
        position += 1 + length * (2 if wide_number else 1)
        if owner == item:
            return [number & (0x7FFF if wide_number else 0x7F) for number in numbers]
    return []


def _boxes(content: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the kind and content of each box."""
    position = 0
    while position + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        start = position + 8
        if length == 1:  # the length follows, in 64 bits
            (length,) = struct.unpack_from(">Q", content, start)
            start += 8
        end = len(content) if length == 0 else position + length
        if not start <= end <= len(content):
            return
        yield kind, content[start:end]
        position = end
