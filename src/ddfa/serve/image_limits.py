"""Decodes uploaded images; what cannot be decoded is an answer with the right status."""

from typing import Final

from ddfa.arrays import UInt8
from ddfa.errors import ImageError, ImageTooLargeError
from ddfa.formats.headers import format_of, stored_size
from ddfa.images import decode_image
from ddfa.serve.errors import ServiceError

_BYTES_PER_PIXEL: Final = 12  # while an image is decoded and searched: its pixels, and copies of them


def memory_of(content: bytes, max_pixels: int) -> int:
    """Bytes of memory that an image needs, from its header.

    Args:
        content: bytes of the file.
        max_pixels: maximum width times height.

    Returns:
        The number; 0 if the image will be refused.
    """
    kind = format_of(content)
    width, height = (stored_size(content, kind) if kind else None) or (0, 0)
    return width * height * _BYTES_PER_PIXEL if width * height <= max_pixels else 0


def decode_checked(content: bytes, max_pixels: int) -> UInt8:
    """Decode an image unless it is too large.

    Args:
        content: bytes of the file.
        max_pixels: maximum width times height.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ServiceError: 415 if it is not an image, 413 if it has too many pixels.
    """
    try:
        return decode_image(content, "the image", max_pixels)
    except ImageTooLargeError as error:
        raise ServiceError(413, "too_many_pixels", str(error)) from None
    except ImageError as error:
        raise ServiceError(415, "not_a_picture", str(error)) from None
