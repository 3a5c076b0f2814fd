"""AVIF and HEIC: upright as the container says, one line of error for damaged files."""

import io
import sys

import cv2
import numpy as np
import pytest
from PIL import Image, features

from ddfa.errors import ImageError
from ddfa.formats import heif
from ddfa.images import decode_image, decode_reduced

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow cannot write AVIF")
HEIGHT, WIDTH = 64, 96


def picture() -> np.ndarray:
    """A smooth image without symmetry, so that all its rotations differ."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([x * 2.5, y * 3.9, (x + 2 * y) + 10], axis=-1).astype(np.uint8)


def encoded(kind: str, orientation: int = 1, image: Image.Image | None = None) -> bytes:
    """A file in which Pillow has translated an EXIF orientation into boxes of the container."""
    if kind == "HEIF":
        pytest.importorskip("pillow_heif", reason="needs the extra `heic`").register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    (image or Image.fromarray(picture())).save(buffer, kind, exif=exif.tobytes(), quality=95)
    return buffer.getvalue()


def as_jpeg(orientation: int) -> np.ndarray:
    """The same image as a JPEG with the same EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(picture()).save(buffer, "JPEG", exif=exif, quality=95, subsampling=0)
    return decode_image(buffer.getvalue(), "jpeg")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", [pytest.param("AVIF", marks=needs_avif), "HEIF"])
def test_orientation_is_that_of_a_jpeg(kind: str, orientation: int) -> None:
    content, expected = encoded(kind, orientation), as_jpeg(orientation)
    image = decode_image(content, "photo")
    assert image.flags.c_contiguous and image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 3
    assert decode_reduced(content, "photo", 16).size == (expected.shape[1], expected.shape[0])


@needs_avif
@pytest.mark.parametrize("orientation", [3, 5, 6])
def test_transparent_avif(orientation: int) -> None:
    transparent = Image.fromarray(picture())
    transparent.putalpha(Image.fromarray(np.where(picture()[..., 0] < 120, 255, 0).astype(np.uint8)))
    image = decode_image(encoded("AVIF", orientation, transparent), "photo")
    opaque = as_jpeg(orientation)
    assert image.shape == opaque.shape
    shown = opaque[..., 0] < 100
    assert np.abs(image[shown].astype(int) - opaque[shown]).mean() < 4 and image[opaque[..., 0] > 140].min() > 245


@needs_avif
def test_exif_orientation_of_an_avif_is_ignored() -> None:
    """The standard demands it: converters rotate the pixels and leave the EXIF block as it was."""
    exif = Image.Exif()
    exif[0x0112] = 6
    written = cv2.imencodeWithMetadata(
        ".avif", picture()[..., ::-1], [cv2.IMAGE_METADATA_EXIF], [np.frombuffer(exif.tobytes()[6:], np.uint8)]
    )[1].tobytes()
    assert decode_image(written, "photo").shape == (WIDTH, HEIGHT, 3)
    without_rotation = written.replace(b"irot\3", b"irot\0")
    assert without_rotation != written and decode_image(without_rotation, "photo").shape == (HEIGHT, WIDTH, 3)


@needs_avif
def test_size_is_read_from_the_header() -> None:
    assert heif.size(encoded("AVIF", 6)) == (WIDTH, HEIGHT)
    assert heif.size(encoded("HEIF", 6)) == (WIDTH, HEIGHT)
    assert heif.size(b"\0\0\0\x18ftypheic\0\0\0\0") is None


def test_transparent_heic_is_composited_on_white() -> None:
    transparent = Image.fromarray(picture())
    transparent.putalpha(Image.fromarray(np.where(picture()[..., 0] < 120, 255, 0).astype(np.uint8)))
    image = decode_image(encoded("HEIF", 1, transparent), "photo")
    assert image[:, -1].min() > 245 and np.abs(image[:, :30].astype(int) - picture()[:, :30]).mean() < 5


@pytest.mark.parametrize("kind", [pytest.param("AVIF", marks=needs_avif), "HEIF"])
def test_damaged_files_are_one_line(kind: str) -> None:
    content = encoded(kind, 6)
    for damaged in (content[:30], content[: len(content) // 2], content[:40] + bytes(200) + content[240:]):
        with pytest.raises(ImageError, match=r"photo is (a )?damaged") as caught:
            decode_image(damaged, "photo")
        assert "\n" not in str(caught.value)


@needs_avif
def test_any_damage_to_the_container_is_harmless() -> None:
    content, rng = encoded("AVIF", 6), np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(content)
        damaged[int(rng.integers(16, 300))] = int(rng.integers(256))
        heif.turn_upright(picture(), bytes(damaged))


def test_heic_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"pip install 'openddfa\[heic\]'"):
        decode_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "IMG_0001.HEIC")
