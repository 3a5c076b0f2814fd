"""Pictures from strangers: their size is read from the header and checked before anything is decoded."""

import io
from typing import Final

from PIL import Image

from ddfa.arrays import UInt8
from ddfa.errors import ImageError
from ddfa.images import decode_image
from ddfa.serve.errors import ServiceError

Image.MAX_IMAGE_PIXELS = None  # Pillow only reads headers here, and ours is the limit
# What is offered to Pillow's header readers: no PostScript, no PDF, nothing that runs another program.
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


def decode_checked(content: bytes, max_pixels: int) -> UInt8:
    """Decode a picture unless it is too large.

    Args:
        content: bytes of its file.
        max_pixels: width times height that are accepted.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        Problem: 415 for what is not a picture, 413 for one of too many pixels.
    """
    size = _header_size(content)
    if size is None:
        raise ServiceError(415, "not_a_picture", "the image is not a picture of a known format: send a JPEG or PNG")
    if size[0] * size[1] > max_pixels:
        raise ServiceError(
            413,
            "too_many_pixels",
            f"the picture has {size[0]} x {size[1]} px, {max_pixels / 1e6:g} million are accepted: make it smaller",
        )
    try:
        image = decode_image(content, "the image")
    except ImageError as error:
        raise ServiceError(415, "not_a_picture", str(error)) from None
    return image


def _header_size(content: bytes) -> tuple[int, int] | None:
    """Width and height as the file's header states them."""
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
            return picture.size
    except Exception:  # whatever a damaged header does to its reader
        return None
