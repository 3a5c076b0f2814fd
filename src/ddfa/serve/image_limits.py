"""Decodes untrusted images: the size in the header is checked before any pixel is decoded."""

import io
from typing import Final

from PIL import Image

from ddfa import heif
from ddfa.arrays import UInt8
from ddfa.errors import ImageError
from ddfa.images import decode_image
from ddfa.serve.errors import ServiceError

Image.MAX_IMAGE_PIXELS = None  # Pillow only reads headers here; `max_pixels` is the limit
# Formats whose headers Pillow may parse: no PostScript or PDF, nothing that runs another program.
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


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
    size = _header_size(content)
    if size is None:
        raise ServiceError(415, "not_a_picture", "the file is not an image of a known format: send a JPEG or PNG")
    if size[0] * size[1] > max_pixels:
        raise ServiceError(
            413,
            "too_many_pixels",
            f"the image has {size[0]} x {size[1]} px, the limit is {max_pixels / 1e6:g} million: send a smaller one",
        )
    try:
        image = decode_image(content, "the image")
    except ImageError as error:
        raise ServiceError(415, "not_a_picture", str(error)) from None
    return image


def _header_size(content: bytes) -> tuple[int, int] | None:
    """Width and height from the header of the file."""
    if heif.is_heic(content):  # Pillow reads HEIC only with a plugin
        return heif.size(content)
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            return image.size
    except Exception:  # a damaged header can raise anything
        return None
