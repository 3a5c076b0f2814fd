"""Images as callers have them: a path, the bytes of a file, a Pillow image or an array, to upright RGB uint8."""

import os
import weakref
from typing import TYPE_CHECKING, Any, Final, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import UInt8
from ddfa.errors import ImageError, reason
from ddfa.formats.pixels import on_white
from ddfa.images import MAX_PIXELS, decode_image, read_image, refuse_synthetic

if TYPE_CHECKING:
    from PIL.Image import Image

ImageLike: TypeAlias = Union[str, "os.PathLike[str]", bytes, "Image", NDArray[Any]]
"""A path, the content of an image file, a Pillow image, or an array: (H, W) or (H, W, 1) grey, (H, W, 3) RGB or
(H, W, 4) RGBA, of uint8, uint16 or floats in [0, 1]."""

_CHANNELS: Final = (1, 3, 4)
_FIX: Final = "pass a path, bytes, a Pillow image or an array (H, W), (H, W, 3) or (H, W, 4), channels last"
_NEAR_ONE: Final = 1e-3  # by how much interpolation may leave [0, 1]


def as_image(given: ImageLike, max_pixels: int = MAX_PIXELS) -> UInt8:
    """Convert an image to upright RGB uint8.

    Files are read as `ddfa.read_image` reads them. Pillow images are turned by their EXIF orientation. Transparency is
    composited on white, grey becomes RGB, uint16 its upper byte; floats are rounded from [0, 1] to 0..255.

    Args:
        given: the image; an array of RGB uint8 is returned as it is, without a copy.
        max_pixels: maximum width times height of a file, checked before decoding.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: it cannot be read, or has another shape, type or range.
        OutputError: it is a `SyntheticImage`.
    """
    refuse_synthetic(given)
    if isinstance(given, str | os.PathLike):
        return read_image(os.fspath(given), max_pixels)
    if isinstance(given, bytes):
        return decode_image(given, "the image in memory", max_pixels)
    if hasattr(given, "getexif") and hasattr(given, "convert"):
        return _from_pillow(given)
    try:
        array = np.asarray(given)
    except Exception as error:  # whatever the conversion of a foreign type raises
        raise ImageError(f"an image of type {type(given).__name__} cannot be used ({reason(error)}): {_FIX}") from None
    return _from_array(array)


class ImageSource:
    """Where the pixels of an image are; arrays and Pillow images are not kept alive.

    Args:
        given: the image; None if its pixels are not at hand.

    Attributes:
        path: of the file, as the user named it; None for an image in memory.
    """

    def __init__(self, given: ImageLike | None) -> None:
        self.path: str | None = os.fspath(given) if isinstance(given, str | os.PathLike) else None
        self._content = given if isinstance(given, bytes | str | os.PathLike) else None
        self._given = None
        if given is not None and self._content is None:
            self._given = weakref.ref(given)

    def __reduce__(self) -> Any:
        """A pickle names the file; other images stay behind."""
        return ImageSource, (self.path,)

    def read(self) -> UInt8:
        """The pixels, (H, W, 3) uint8 RGB.

        Raises:
            ImageError: they are gone, or the file cannot be read.
        """
        given = self._content if self._given is None else self._given()
        if given is None:
            raise ImageError("the pixels of this photo are no longer in memory: pass them as `image`")
        return as_image(given)


def _from_pillow(image: Any) -> UInt8:
    from PIL import ImageOps

    try:
        turned = ImageOps.exif_transpose(image)
        if turned.mode.startswith(("I", "F")):
            return _from_array(np.asarray(turned, np.uint16 if turned.mode.startswith("I") else np.float32))
        if turned.has_transparency_data:
            return on_white(np.array(turned.convert("RGBA")))
        return _from_array(np.array(turned.convert("RGB")))
    except ImageError:
        raise
    except Exception as error:  # Pillow decodes on first use, and raises as many types as it has formats
        raise ImageError(f"the Pillow image cannot be decoded ({reason(error)}): open it again") from None


def _from_array(array: NDArray[Any]) -> UInt8:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in _CHANNELS or not array.size:
        raise ImageError(f"{array.dtype} {array.shape} is not an image: {_FIX}")
    pixels = _as_bytes(array)
    if pixels.shape[2] == 4:
        return on_white(pixels)
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)


def _as_bytes(array: NDArray[Any]) -> UInt8:
    """The same numbers as 0..255.

    Raises:
        ImageError: an unusual type, or floats that are not in [0, 1].
    """
    if array.dtype == np.uint8:
        return np.asarray(array, np.uint8)
    if array.dtype == np.uint16:
        return (array >> 8).astype(np.uint8)
    if array.dtype.kind != "f":
        raise ImageError(f"an image of {array.dtype} is ambiguous: convert it to uint8, or to floats in [0, 1]")
    low, high = float(array.min()), float(array.max())  # NaN if one is
    if not (low >= -_NEAR_ONE and high <= 1 + _NEAR_ONE):
        raise ImageError(f"floats of an image must be in [0, 1], not {low:g} to {high:g}: divide by 255")
    return np.asarray(np.rint(np.clip(array, 0, 1) * 255), np.uint8)
