"""Reads and writes images: always upright RGB uint8 (H, W, 3).

OpenCV reads JPEG (grey and CMYK included), PNG, WebP, TIFF, BMP, GIF and AVIF, pillow-heif (extra `heic`) HEIC; of
several frames or pages the first.
"""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from ddfa import heif
from ddfa.arrays import UInt8
from ddfa.errors import ImageError, OutputError
from ddfa.files import write_atomically

# Suffixes of files that `read_image` reads.
IMAGE_SUFFIXES: Final = (
    ".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic", ".heif", ".hif",
)  # fmt: skip
_FORMATS: Final = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "GIF",
    b"RIFF": "WebP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"BM": "BMP",
}
_OPAQUE: Final = ("JPEG", "BMP", "TIFF")  # OpenCV decodes a transparent TIFF premultiplied, that is on black
_ORIENTATION_TAG: Final = 0x0112
_TRANSPOSED: Final = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_JPEG_QUALITY: Final = 95
# Factors by which the JPEG decoder can reduce an image, and OpenCV's flags for them (used for colour as well).
_REDUCED: Final = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
}
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers of segments that contain the size
_JPEG_EXIF: Final = 0xE1
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


def read_image(path: str | Path) -> UInt8:
    """Read an image as a viewer would show it.

    EXIF rotation (in AVIF and HEIC that of the container) is applied, grey and CMYK become RGB, 16 bits become 8,
    transparency is composited on white (in TIFF on black), and of an animation the first frame is read. A JPEG of full
    length with damaged content is decoded as viewers show it.

    Args:
        path: the file.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ImageError: if the file is missing, empty, a folder, truncated, damaged, not an image, or HEIC without the
            extra `heic`.
    """
    return decode_image(_read_bytes(Path(path)), path)


def decode_image(content: bytes, name: str | Path) -> UInt8:
    """Decode an image as `read_image` does.

    Args:
        content: bytes of the file.
        name: name of the image, for the error message.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ImageError: if it is empty, truncated, damaged or not an image.
    """
    if not content:
        raise ImageError(f"{name} is empty (0 bytes): copy it again")
    if heif.is_heic(content):
        return heif.decode_heic(content, name)
    kind = next((name for magic, name in _FORMATS.items() if content.startswith(magic)), None)
    if kind is None and heif.is_avif(content):
        kind = "AVIF"
    if kind == "PNG" and not _is_whole_png(content):
        raise ImageError(f"{name} is a damaged or truncated PNG image: copy or export it again")
    image = _decode(content, may_be_transparent=kind not in _OPAQUE)
    if image is not None:
        return image
    if kind is None:
        raise ImageError(f"{name} is not an image of a known format: convert it to JPEG or PNG")
    raise ImageError(
        f"{name} is damaged, truncated or an unsupported kind of {kind}: copy it again, or convert it to PNG"
    )


def decode_reduced(content: bytes, name: str | Path, least_side: int) -> ReducedImage:
    """Decode an image, a large JPEG at 1/2, 1/4 or 1/8 of its size, which is several times faster.

    Args:
        content: bytes of the file.
        name: name of the image, for the error message.
        least_side: square root of the minimum area (px) of a reduced image.

    Returns:
        The image; only large JPEGs are reduced.

    Raises:
        ImageError: as for `decode_image`.
    """
    header = _jpeg_header(content)
    if header is not None:
        width, height, orientation = header
        factor = next((f for f in _REDUCED if width * height >= (f * least_side) ** 2), 1)
        # The last px may cover fewer full-size px; after a rotation it would be the first and shift all coordinates.
        aligned = orientation == 1 or not (width % factor or height % factor)
        reduced = _decode(content, False, _REDUCED[factor]) if factor > 1 and aligned else None
        if reduced is not None:
            return ReducedImage(reduced, factor, (height, width) if orientation in _TRANSPOSED else (width, height))
    image = decode_image(content, name)
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


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except IsADirectoryError as error:
        raise ImageError(f"{path} is a folder: name the images in it, for instance {path}/*.jpg") from error
    except FileNotFoundError as error:
        raise ImageError(f"{path} does not exist: check the path") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot read {path} ({getattr(error, 'strerror', error)}): check the path") from error
    return content


def _decode(content: bytes, may_be_transparent: bool, flags: int = 0) -> UInt8 | None:
    """Decode a file to RGB, or return None if OpenCV cannot."""
    buffer = np.frombuffer(content, np.uint8)
    turned_by_container = heif.is_avif(content)
    if turned_by_container:  # otherwise imdecode applies the EXIF rotation
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        with _silent_opencv():
            opaque = _decode_transparent(buffer, apply_exif=not turned_by_container) if may_be_transparent else None
            image = cv2.imdecode(buffer, cv2.IMREAD_COLOR_RGB | flags) if opaque is None else opaque
    except cv2.error:  # more than OpenCV's limit of 2^30 pixels, or a file that ends within its header
        return None
    if image is None:
        return None
    pixels = np.asarray(image, np.uint8)
    return heif.turn_upright(pixels, content) if turned_by_container else pixels


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
    exif = [bytes(m) for k, m in zip(kinds, metadata, strict=True) if k == cv2.IMAGE_METADATA_EXIF]
    return _turn_upright(_composite_on_white(raw), _orientation(exif[0]) if exif and apply_exif else 1)


def _composite_on_white(bgra: Any) -> UInt8:
    """Composite (H, W, 4) uint8 or uint16 on white; returns RGB uint8."""
    white = float(np.iinfo(bgra.dtype).max)
    opacity = bgra[..., 3:].astype(np.float32) / white
    rgb = bgra[..., 2::-1].astype(np.float32) / white
    return np.asarray(np.rint((1 - opacity + opacity * rgb) * 255), np.uint8)


def _turn_upright(image: UInt8, orientation: int) -> UInt8:
    """Undo EXIF orientation 1 to 8: a flip (2, 4, 5, 7) and a rotation by multiples of 90 degrees."""
    quarters = {3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}.get(orientation, 0)
    if orientation in (2, 4, 5, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(np.rot90(image, quarters))


def _orientation(exif: bytes) -> int:
    """Read the orientation tag from an EXIF block (a TIFF header and its first directory); 1 if there is none."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = "<" if exif[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for entry in range(count):
            tag, _, _, value = struct.unpack_from(order + "HHIH", exif, start + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG:
                return int(value)
    except struct.error:  # a damaged block does not affect the pixels
        pass
    return 1


def _jpeg_header(content: bytes) -> tuple[int, int, int] | None:
    """Stored width and height in px and EXIF orientation of a JPEG; None if the header has none."""
    orientation, position = 1, 2 if content.startswith(b"\xff\xd8") else len(content)
    while position + 9 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        (length,) = struct.unpack_from(">H", content, position + 2)
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", content, position + 5)
            return width, height, orientation
        segment = content[position + 4 : position + 2 + length]
        if marker == _JPEG_EXIF and segment.startswith(b"Exif"):  # APP1 segments may also hold XMP
            orientation = _orientation(segment)
        position += 2 + length
    return None


def _is_whole_png(content: bytes) -> bool:
    """Check the CRC of every chunk up to IEND: libpng would print a warning and fill the rest with grey."""
    for name, checked, checksum in _png_chunks(content):
        if zlib.crc32(checked) != checksum:
            return False
        if name == b"IEND":
            return True
    return False


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, memoryview, int]]:
    """Yield each complete chunk of a PNG file: its name, the bytes its CRC-32 covers, the CRC-32."""
    view, position = memoryview(content), 8
    while position + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, position)
        end = position + 8 + length
        if end + 4 > len(content):
            return
        (checksum,) = struct.unpack_from(">I", content, end)
        yield bytes(view[position + 4 : position + 8]), view[position + 4 : end], checksum
        position = end + 4
