"""Reading and writing pictures: RGB uint8 (H, W, 3), upright, whatever the file holds.

OpenCV reads JPEG (grey and CMYK too), PNG, WebP, TIFF, BMP, GIF and AVIF; of several frames or pages the first.
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

from ddfa.arrays import UInt8
from ddfa.errors import ImageError, OutputError
from ddfa.files import write_atomically

# Of the files that `read_image` reads.
PICTURE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif")
_FORMATS: Final = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "GIF",
    b"RIFF": "WebP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"BM": "BMP",
}
_OPAQUE: Final = ("JPEG", "BMP", "TIFF")  # a transparent TIFF arrives premultiplied, that is on black
_ORIENTATION_TAG: Final = 0x0112
_ON_ITS_SIDE: Final = (5, 6, 7, 8)  # orientations
_JPEG_QUALITY: Final = 95
# Fractions that a JPEG is decoded at without making all its pixels, and OpenCV's flags for them, grey or not.
_REDUCED: Final = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
}
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers of the segment that tells the size
_JPEG_EXIF: Final = 0xE1
_REFUSED: Final = "a synthetic image is written with its provenance: use ddfa.provenance.write_synthetic"


@dataclass(frozen=True, eq=False)
class ReducedImage:
    """A picture, perhaps at a fraction of its size.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        factor: 1, 2, 4 or 8: how many px of the whole picture a px is wide. The place x lies at
            (x + 0.5) * factor - 0.5 in the whole.
        size: width and height of the whole picture, upright, in px.
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
    """Read a picture as a viewer would show it.

    EXIF rotation is applied, grey becomes RGB, 16 bits become 8, CMYK is converted, transparency is laid on white
    (in TIFF on black), and of an animation the first frame is taken. A JPEG of full length that is damaged inside
    comes out as viewers show it.

    Args:
        path: the file.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ImageError: if the file is missing, empty, a folder, cut off, damaged or not a picture.
    """
    return decode_image(_read_bytes(Path(path)), path)


def decode_image(content: bytes, name: str | Path) -> UInt8:
    """Decode a picture as `read_image` does.

    Args:
        content: the bytes of its file.
        name: of the picture, for the error.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ImageError: if it is empty, cut off, damaged or not a picture.
    """
    if not content:
        raise ImageError(f"{name} is empty (0 bytes): copy it again")
    kind = next((name for magic, name in _FORMATS.items() if content.startswith(magic)), None)
    if kind == "PNG" and not _is_whole_png(content):
        raise ImageError(f"{name} is a damaged or cut-off PNG picture: copy or export it again")
    image = _decode(content, may_be_transparent=kind not in _OPAQUE)
    if image is not None:
        return image
    if kind is None:
        raise ImageError(f"{name} is not a picture of a known format: convert it to JPEG or PNG")
    raise ImageError(f"{name} is damaged, cut off or a rare kind of {kind}: copy it again, or convert it to PNG")


def decode_reduced(content: bytes, name: str | Path, least_side: int) -> ReducedImage:
    """Decode a picture, a large JPEG at 1/2, 1/4 or 1/8 of its size, which takes a fraction of the time.

    Args:
        content: the bytes of its file.
        name: of the picture, for the error.
        least_side: root of the area (px) that is left at least.

    Returns:
        The picture; all but large JPEGs in full.

    Raises:
        ImageError: as of `decode_image`.
    """
    header = _jpeg_header(content)
    if header is not None:
        width, height, orientation = header
        factor = next((f for f in _REDUCED if width * height >= (f * least_side) ** 2), 1)
        # Its last px may stand for fewer px of the whole: turned, the places of all would shift.
        aligned = orientation == 1 or not (width % factor or height % factor)
        reduced = _decode(content, False, _REDUCED[factor]) if factor > 1 and aligned else None
        if reduced is not None:
            return ReducedImage(reduced, factor, (height, width) if orientation in _ON_ITS_SIDE else (width, height))
    image = decode_image(content, name)
    return ReducedImage(image, 1, (image.shape[1], image.shape[0]))


def write_image(path: str | Path, image: UInt8) -> None:
    """Write a picture, as a whole or not at all; the suffix names the format.

    Args:
        path: the file, `.jpg` (quality 95), `.png`, `.webp`, `.tiff` or `.bmp`.
        image: (H, W, 3) uint8 RGB or (H, W) uint8 grey.

    Raises:
        ImageError: if the array is not such a picture.
        OutputError: if the format is unknown, the file cannot be written or the image is a `SyntheticImage`.
    """
    path = Path(path)
    write_atomically(path, encode_image(path, image))


def encode_image(path: Path, image: UInt8) -> bytes:
    """The bytes that `write_image` writes; arguments and errors are the same."""
    refuse_synthetic(image)
    if image.dtype != np.uint8 or image.size == 0 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise ImageError(f"a picture is uint8 (H, W, 3) or (H, W), not {image.dtype} {image.shape}: convert it")
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix.lower() in (".jpg", ".jpeg") else []
    try:
        with _quiet_opencv():
            encoded = cv2.imencode(path.suffix, pixels, options)[1]
    except cv2.error:
        encoded = None
    if encoded is None or not len(encoded):  # an unknown suffix raises; more pixels than the format takes do not
        raise OutputError(f"cannot write {path}: use a suffix like .jpg or .png, and fewer pixels if it has")
    return encoded.tobytes()


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except IsADirectoryError as error:
        raise ImageError(f"{path} is a folder: name the pictures in it, for instance {path}/*.jpg") from error
    except FileNotFoundError as error:
        raise ImageError(f"{path} does not exist: check the path") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot read {path} ({getattr(error, 'strerror', error)}): check the path") from error
    return content


def _decode(content: bytes, may_be_transparent: bool, flags: int = 0) -> UInt8 | None:
    """Decode a file to RGB, or return None if OpenCV cannot."""
    buffer = np.frombuffer(content, np.uint8)
    try:
        with _quiet_opencv():
            laid = _decode_transparent(buffer) if may_be_transparent else None
            # Applies the EXIF rotation.
            image = cv2.imdecode(buffer, cv2.IMREAD_COLOR_RGB | flags) if laid is None else laid
    except cv2.error:  # more pixels than OpenCV takes (2^30), or a format that ends within its header
        return None
    return None if image is None else np.asarray(image, np.uint8)


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keep OpenCV's own complaints off the terminal: our error says it in one line."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def _decode_transparent(buffer: UInt8) -> UInt8 | None:
    """Decode a file and lay it on white, or return None where nothing in it is transparent."""
    raw: Any
    raw, kinds, metadata = cv2.imdecodeWithMetadata(buffer, flags=cv2.IMREAD_UNCHANGED)
    if raw is None or raw.ndim != 3 or raw.shape[2] != 4 or raw[..., 3].min() == np.iinfo(raw.dtype).max:
        return None
    exif = [bytes(m) for k, m in zip(kinds, metadata, strict=True) if k == cv2.IMAGE_METADATA_EXIF]
    return _turn_upright(_lay_on_white(raw), _orientation(exif[0]) if exif else 1)


def _lay_on_white(bgra: Any) -> UInt8:
    """Composite (H, W, 4) uint8 or uint16 on white; returns RGB uint8."""
    white = float(np.iinfo(bgra.dtype).max)
    opacity = bgra[..., 3:].astype(np.float32) / white
    rgb = bgra[..., 2::-1].astype(np.float32) / white
    return np.asarray(np.rint((1 - opacity + opacity * rgb) * 255), np.uint8)


def _turn_upright(image: UInt8, orientation: int) -> UInt8:
    """Undo EXIF orientation 1 to 8: a mirroring (even 2, 4; odd 5, 7) and a turn by quarters."""
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
    except struct.error:  # a damaged block says nothing about the pixels
        pass
    return 1


def _jpeg_header(content: bytes) -> tuple[int, int, int] | None:
    """Width and height in px as stored and EXIF orientation of a JPEG; None where they are not found."""
    orientation, position = 1, 2 if content.startswith(b"\xff\xd8") else len(content)
    while position + 9 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        (length,) = struct.unpack_from(">H", content, position + 2)
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", content, position + 5)
            return width, height, orientation
        segment = content[position + 4 : position + 2 + length]
        if marker == _JPEG_EXIF and segment.startswith(b"Exif"):  # others of this kind hold other things
            orientation = _orientation(segment)
        position += 2 + length
    return None


def _is_whole_png(content: bytes) -> bool:
    """Check the checksum of every chunk up to IEND: libpng would print its own complaint and fill with grey."""
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
