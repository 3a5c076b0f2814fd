"""Reads and writes images: always upright RGB uint8 (H, W, 3).

JPEG (grey and CMYK included) is read by simplejpeg, PNG by Pillow, WebP, TIFF, BMP, GIF and AVIF by OpenCV, HEIC by
pillow-heif (extra `heic`); of several frames or pages the first. Nothing else reaches a decoder, and the size in the
header is checked first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from ddfa.arrays import UInt8
from ddfa.errors import ImageError, ImageTooLargeError, OutputError, reading
from ddfa.files import read_file, write_atomically
from ddfa.formats import exif, heif, jpeg, png
from ddfa.formats.headers import format_of, stored_size
from ddfa.formats.pixels import on_white, turn_upright

# Suffixes of files that `read_image` reads.
IMAGE_SUFFIXES: Final = (
    ".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic", ".heif", ".hif",
)  # fmt: skip
MAX_PIXELS: Final = 100_000_000
"""Maximum width times height of an image, unless a caller names another."""
_LONGEST_SIDE: Final = 65_535  # px, as in JPEG; longer ones are made to cost memory
_OPAQUE: Final = ("BMP", "TIFF")  # OpenCV decodes a transparent TIFF premultiplied, that is on black
_JPEG_QUALITY: Final = 95
_COPY_AGAIN: Final = "copy it again, or convert it to PNG"
_REFUSED: Final = "a synthetic image is written with its provenance: use ddfa.provenance.write_synthetic"


@dataclass(frozen=True, eq=False)
class ReducedImage:
    """An image, possibly decoded at reduced size.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        factor: 1, 2, 4 or 8: full-size px per px. The coordinate x corresponds to (x + 0.5) * factor - 0.5 at full
            size.
        size: width and height at full size, upright, in px.
    """

    image: UInt8
    factor: int
    size: tuple[int, int]


class SyntheticImage:
    """An image in which a face is replaced or animated; it is written only with its provenance.

    `write_image`, `encode_image` and `VideoWriter` refuse it: write it with `ddfa.provenance.write_synthetic`,
    `encode_synthetic` or `ddfa.provenance.video.SyntheticVideoWriter`. NumPy does not convert it to an array either.

    Args:
        image: (H, W, 3) uint8 RGB to start from; it is copied.

    Attributes:
        unmarked_pixels: (H, W, 3) uint8 RGB, for display and further processing. Whoever writes them to a file by
            other means has to mark them as synthetic.
    """

    def __init__(self, image: UInt8) -> None:
        self.unmarked_pixels = image.copy()

    def __array__(self, *_: object, **__: object) -> UInt8:
        raise OutputError(_REFUSED)


def refuse_synthetic(image: object) -> None:
    """Refuse an image that must not be written without its provenance.

    Raises:
        OutputError: it is a `SyntheticImage`.
    """
    if isinstance(image, SyntheticImage):
        raise OutputError(_REFUSED)


def read_image(path: str | Path, max_pixels: int = MAX_PIXELS) -> UInt8:
    """Read an image as a viewer would show it.

    EXIF rotation (in AVIF and HEIC that of the container) is applied, grey and CMYK become RGB, 16 bits become 8,
    transparency is composited on white (in TIFF on black), and of an animation the first frame is read. A JPEG of full
    length with damaged content is decoded as viewers show it.

    Args:
        path: a regular file: pipes and devices are refused.
        max_pixels: maximum width times height, checked before decoding.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ImageTooLargeError: if it has more pixels.
        ImageError: if the file is missing, empty, a folder, truncated, damaged, not an image, or HEIC without the
            extra `heic`.
    """
    return decode_image(read_file(Path(path), ImageError), path, max_pixels)


def decode_image(content: bytes, name: str | Path, max_pixels: int = MAX_PIXELS) -> UInt8:
    """Decode an image as `read_image` does.

    Args:
        content: bytes of the file.
        name: name of the image, for the error message.
        max_pixels: maximum width times height, checked before decoding.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ImageTooLargeError: if it has more pixels.
        ImageError: if it is empty, truncated, damaged or not an image.
    """
    return _decode(content, name, _checked_format(content, name, max_pixels))


def decode_reduced(content: bytes, name: str | Path, least_side: int, max_pixels: int = MAX_PIXELS) -> ReducedImage:
    """Decode an image, a large JPEG at 1/2, 1/4 or 1/8 of its size, which is several times faster.

    Args:
        content: bytes of the file.
        name: name of the image, for the error message.
        least_side: square root of the minimum area (px) of a reduced image.
        max_pixels: maximum width times height at full size, checked before decoding.

    Returns:
        The image; only large JPEGs are reduced.

    Raises:
        ImageError: as for `decode_image`.
    """
    kind = _checked_format(content, name, max_pixels)
    if kind == "JPEG":
        header = jpeg.read_header(content)
        width, height = header.width, header.height
        factor = next((f for f in jpeg.FACTORS if width * height >= (f * least_side) ** 2), 1)
        # The last px may cover fewer full-size px; after a rotation it would be the first and shift all coordinates.
        aligned = header.orientation == 1 or not (width % factor or height % factor)
        if factor > 1 and aligned and header.is_simple:
            with reading(name, ImageError, "a damaged or truncated JPEG", _COPY_AGAIN):
                reduced = jpeg.decode(content, header, factor)
            turned = header.orientation in exif.TRANSPOSED
            return ReducedImage(reduced, factor, (height, width) if turned else (width, height))
    image = _decode(content, name, kind)
    return ReducedImage(image, 1, (image.shape[1], image.shape[0]))


def write_image(path: str | Path, image: UInt8) -> None:
    """Write an image atomically; the suffix determines the format.

    Args:
        path: the file, `.jpg` (quality 95), `.png`, `.webp`, `.tiff` or `.bmp`.
        image: (H, W, 3) uint8 RGB or (H, W) uint8 grey.

    Raises:
        ImageError: if the array is not such an image.
        OutputError: if the format is unknown, the file cannot be written or the image is a `SyntheticImage`.
    """
    path = Path(path)
    write_atomically(path, encode_image(path, image))


def encode_image(path: Path, image: UInt8) -> bytes:
    """Bytes that `write_image` writes; arguments and errors are the same."""
    refuse_synthetic(image)
    if image.dtype != np.uint8 or image.size == 0 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise ImageError(f"an image is uint8 (H, W, 3) or (H, W), not {image.dtype} {image.shape}: convert it")
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix.lower() in (".jpg", ".jpeg") else []
    try:
        with _silent_opencv():
            encoded = cv2.imencode(path.suffix, pixels, options)[1]
    except cv2.error:
        encoded = None
    if encoded is None or not len(encoded):  # too large an image returns nothing, an unknown suffix raises
        raise OutputError(
            f"cannot write {path}: use a suffix like .jpg or .png; if it has one, the image is too large for the format"
        )
    return encoded.tobytes()


def _checked_format(content: bytes, name: str | Path, max_pixels: int) -> str:
    """Name of the format of an image that may be decoded."""
    if not content:
        raise ImageError(f"{name} is empty (0 bytes): copy it again")
    kind = format_of(content)
    if kind is None:
        raise ImageError(f"{name} is not an image of a known format: convert it to JPEG or PNG")
    if kind == "HEIC":
        heif.require_heic(name)
    size = stored_size(content, kind)
    if size is None:
        raise ImageError(f"{name} is a damaged or truncated {kind} image: copy or export it again")
    check_size(size, name, max_pixels)
    return kind


def check_size(size: tuple[int, int], name: str | Path, max_pixels: int) -> None:
    """Refuse an image that is too large.

    Args:
        size: width and height, px.
        name: of the image, for the error message.
        max_pixels: maximum width times height.

    Raises:
        ImageTooLargeError: it has more pixels, or a side is longer than 65,535 px.
    """
    width, height = size
    if width * height > max_pixels:
        limit = f"the limit is {max_pixels / 1e6:g} million"
    elif max(size) > _LONGEST_SIDE:
        limit = f"the longest side may have {_LONGEST_SIDE}"
    else:
        return
    raise ImageTooLargeError(f"{name} has {width} x {height} px, {limit}: scale it down, or raise the limit")


def _decode(content: bytes, name: str | Path, kind: str) -> UInt8:
    """Decode an image of known format to upright RGB."""
    with reading(name, ImageError, f"damaged, truncated or an unsupported kind of {kind}", _COPY_AGAIN):
        if kind == "JPEG":
            return jpeg.decode(content, jpeg.read_header(content))
        if kind == "PNG":
            return png.decode(content)
        if kind == "HEIC":
            return heif.decode_heic(content)
        return _decode_with_opencv(content, kind)


def _decode_with_opencv(content: bytes, kind: str) -> UInt8:
    buffer = np.frombuffer(content, np.uint8)
    flags = cv2.IMREAD_COLOR_RGB
    if kind == "AVIF":  # turned by its container; otherwise imdecode applies the EXIF rotation
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    with _silent_opencv():
        composited = None if kind in _OPAQUE else _decode_transparent(buffer, apply_exif=kind != "AVIF")
        image = cv2.imdecode(buffer, flags) if composited is None else composited
    if image is None:
        raise ValueError("no pixels")
    pixels = np.asarray(image, np.uint8)
    return heif.turn_upright(pixels, content) if kind == "AVIF" else pixels


@contextmanager
def _silent_opencv() -> Iterator[None]:
    """Silence OpenCV's log output: our error message is one line."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def _decode_transparent(buffer: UInt8, *, apply_exif: bool) -> UInt8 | None:
    """Decode a file and composite it on white, or return None if it is opaque."""
    raw: Any
    raw, kinds, metadata = cv2.imdecodeWithMetadata(buffer, flags=cv2.IMREAD_UNCHANGED)
    if raw is None or raw.ndim != 3 or raw.shape[2] != 4 or raw[..., 3].min() == np.iinfo(raw.dtype).max:
        return None
    blocks = [bytes(m) for k, m in zip(kinds, metadata, strict=True) if k == cv2.IMAGE_METADATA_EXIF]
    rgba = cv2.cvtColor(raw if raw.dtype == np.uint8 else (raw >> 8).astype(np.uint8), cv2.COLOR_BGRA2RGBA)
    orientation = exif.orientation(blocks[0]) if blocks and apply_exif else 1
    return turn_upright(on_white(np.asarray(rgba, np.uint8)), orientation)
