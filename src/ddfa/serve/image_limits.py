"""Decodes uploaded images; what cannot be decoded is an answer with the right status."""

from ddfa.arrays import UInt8
from ddfa.errors import ImageError, ImageTooLargeError
from ddfa.images import decode_image
from ddfa.serve.errors import ServiceError


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
