"""Image files of every kind: decoded correctly, or one clear line of error."""

import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ddfa.errors import ImageError, ImageTooLargeError, OutputError
from ddfa.images import decode_image, decode_reduced, read_image, write_image

HEIGHT, WIDTH = 24, 40


def gradient() -> np.ndarray:
    """A smooth RGB image without symmetry, so that all its rotations differ."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([x * 6, y * 10, (x + 2 * y) * 2 + 10], axis=-1).astype(np.uint8)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """The table of the EXIF standard: the image as a viewer shows it."""
    return {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: np.rot90(stored, -1),
        7: np.rot90(stored, 2).transpose(1, 0, 2),
        8: np.rot90(stored, 1),
    }[orientation]


@pytest.fixture
def photo(tmp_path: Path):
    """Write bytes to a file and return its path."""

    def write(content: bytes, name: str = "photo.jpg") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP"])
def test_lossless_formats_are_decoded_exactly(photo, kind: str) -> None:
    image = read_image(
        photo(encoded(Image.fromarray(gradient()), kind, **({"lossless": True} if kind == "WEBP" else {})))
    )
    assert image.dtype == np.uint8 and image.flags.c_contiguous
    np.testing.assert_array_equal(image, gradient())


@pytest.mark.parametrize("name", ["a b.png", "é ü 写真 😀.png", "no_suffix", "-o.png", "UPPER.PNG", "x.jpg.png.gif"])
def test_names_do_not_matter(photo, name: str) -> None:
    np.testing.assert_array_equal(read_image(photo(encoded(Image.fromarray(gradient()), "PNG"), name)), gradient())


def test_grey(photo) -> None:
    grey = Image.fromarray(gradient()).convert("L")
    image = read_image(photo(encoded(grey, "PNG")))
    np.testing.assert_array_equal(image, np.repeat(np.asarray(grey)[..., None], 3, axis=2))


def test_grey_jpeg(photo) -> None:
    image = read_image(photo(encoded(Image.fromarray(gradient()).convert("L"), "JPEG", quality=95)))
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert (np.ptp(image, axis=2) == 0).all()


def test_black_and_white(photo) -> None:
    image = read_image(photo(encoded(Image.fromarray(gradient()).convert("1"), "PNG")))
    assert set(np.unique(image)) == {0, 255}


def test_sixteen_bits(photo) -> None:
    deep = gradient()[..., 0].astype(np.uint16) * 257
    image = read_image(photo(encoded(Image.fromarray(deep), "PNG")))
    np.testing.assert_array_equal(image[..., 1], gradient()[..., 0])


def test_cmyk_jpeg(photo) -> None:
    image = read_image(photo(encoded(Image.fromarray(gradient()).convert("CMYK"), "JPEG", quality=100, subsampling=0)))
    assert np.abs(image.astype(int) - gradient()).max() <= 6


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparency_is_composited_on_white(photo, kind: str) -> None:
    picture = Image.fromarray(gradient())
    picture.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    image = read_image(photo(encoded(picture, kind, **options)))
    white = Image.new("RGBA", picture.size, "white")
    expected = np.asarray(Image.alpha_composite(white, picture).convert("RGB"))
    assert np.abs(image.astype(int) - expected).max() <= 1
    assert (image[:, 0] == 255).all()


def test_transparent_sixteen_bits(photo) -> None:
    pixels = np.zeros((2, 2, 4), ">u2")
    pixels[..., 0] = 0xFFFF
    pixels[0, 0, 3] = 0xFFFF
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    image = read_image(photo(png(2, 2, 16, 6, rows)))
    assert image[0, 0].tolist() == [255, 0, 0] and image[1, 1].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_first_frame_of_an_animation(photo, kind: str) -> None:
    first, second = Image.new("RGB", (16, 16), (200, 40, 40)), Image.new("RGB", (16, 16), (40, 40, 200))
    image = read_image(photo(encoded(first, kind, save_all=True, append_images=[second], duration=50)))
    assert np.abs(image.reshape(-1, 3).mean(axis=0) - [200, 40, 40]).max() < 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_jpeg(photo, orientation: int) -> None:
    content = encoded(Image.fromarray(gradient()), "JPEG", quality=100, subsampling=0, exif=exif(orientation))
    image = read_image(photo(content))
    assert np.abs(image.astype(int) - upright(gradient(), orientation)).max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("transparent", [False, True])
def test_exif_rotation_png(photo, orientation: int, transparent: bool) -> None:
    picture = Image.fromarray(gradient())
    if transparent:
        picture.putalpha(Image.fromarray((gradient()[..., 0] < 255).astype(np.uint8) * 254))
    image = read_image(photo(encoded(picture, "PNG", exif=exif(orientation))))
    assert np.abs(image.astype(int) - upright(gradient(), orientation)).max() <= 1


def test_one_pixel(photo) -> None:
    assert read_image(photo(encoded(Image.new("RGB", (1, 1), "red"), "PNG"))).tolist() == [[[255, 0, 0]]]


def test_twenty_thousand_pixels_wide(photo) -> None:
    image = read_image(photo(encoded(Image.new("RGB", (20000, 8), "red"), "JPEG")))
    assert image.shape == (8, 20000, 3)


def png(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    """A hand-made PNG, for variants that Pillow does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def noise(kind: str, **options: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    return encoded(Image.fromarray(pixels), kind, **options)


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


def assert_one_line(error: Exception, name: str) -> None:
    message = str(error)
    assert name in message and "\n" not in message and ": " in message


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("fraction", [0.02, 0.5, 0.95, 0.999])
def test_cut_off(photo, capfd, kind: str, fraction: float) -> None:
    content = noise(kind)
    with pytest.raises(ImageError) as caught:
        read_image(photo(content[: int(len(content) * fraction)], "cut.jpg"))
    assert_one_line(caught.value, "cut.jpg")
    assert capfd.readouterr().err == "", "messages of the decoder must not reach the terminal"


def test_cut_off_progressive_jpeg(photo) -> None:
    content = noise("JPEG", progressive=True)
    with pytest.raises(ImageError, match=r"truncated .* JPEG"):
        read_image(photo(content[: len(content) // 2]))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"hello, I am not a picture", "known format"),
        (bytes(5000), "known format"),
        (b"\xff\xd8\xff", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\0\0\0\x18ftypheic" + bytes(100), "HEIC"),
        (flipped(noise("PNG"), 3000), "PNG"),
        (flipped(noise("JPEG"), 4), "JPEG"),
        (png(40000, 40000, 8, 2, b""), "40000 x 40000 px, the limit is 100 million"),
    ],
    ids=["zero bytes", "text", "zeros", "jpeg magic", "png magic", "heic", "png bit", "jpeg header", "bomb"],
)
def test_damaged(photo, capfd, content: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason) as caught:
        read_image(photo(content, "bad é.jpg"))
    assert_one_line(caught.value, "bad é.jpg")
    assert capfd.readouterr().err == ""


def test_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="does not exist"):
        read_image(tmp_path / "missing.jpg")
    with pytest.raises(ImageError, match="check the path"):
        read_image(str(tmp_path / "nul\0.jpg"))
    with pytest.raises(ImageError, match="check the path"):
        read_image(tmp_path / ("long" * 100))
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match="check the path"):
        read_image(tmp_path / "file" / "photo.jpg")


def test_pipes_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", Path("/dev/zero")):
        with pytest.raises(ImageError, match="pipe or a device"):
            read_image(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_the_number_of_pixels_is_limited(kind: str) -> None:
    content = encoded(Image.fromarray(gradient()), kind)
    assert decode_image(content, "photo", WIDTH * HEIGHT).shape == (HEIGHT, WIDTH, 3)
    for decode in (
        lambda: decode_image(content, "photo", WIDTH * HEIGHT - 1),
        lambda: decode_reduced(content, "photo", 8, WIDTH * HEIGHT - 1),
    ):
        with pytest.raises(ImageTooLargeError, match=f"photo has {WIDTH} x {HEIGHT} px"):
            decode()


def bombs() -> dict[str, bytes]:
    """Small files whose headers claim a huge image."""
    page = struct.pack("<4sIHHHIIHHIII", b"II*\0", 8, 2, 256, 4, 1, 60_000, 257, 4, 1, 60_000, 0)
    tile = struct.pack("<4sIHHHIIHHIII", b"II*\0", 8, 2, 322, 4, 1, 60_000, 323, 4, 1, 60_000, 0)
    return {
        "PNG": png(60_000, 60_000, 1, 0, b""),
        "GIF": b"GIF89a" + struct.pack("<HH", 60_000, 10_000) + b"\xf0\0\0" + bytes(6) + b";",
        "BMP": b"BM" + bytes(12) + struct.pack("<Iii", 40, 60_000, -60_000) + bytes(30),
        "TIFF": page,
        "TIFF of one tile": tile,
        "WebP": b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0" + (2**24 - 1).to_bytes(3, "little") + bytes(3),
        "JPEG": encoded(Image.new("L", (9, 9)), "JPEG").replace(
            b"\xff\xc0\0\x0b\x08\0\x09\0\x09", b"\xff\xc0\0\x0b\x08\xff\0\xff\0"
        ),
    }


@pytest.mark.parametrize("kind", bombs())
def test_bombs_are_refused_by_their_header(kind: str, capfd) -> None:
    with pytest.raises(ImageTooLargeError) as caught:
        decode_image(bombs()[kind], "bomb")
    assert_one_line(caught.value, "bomb")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "content",
    [b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", b"P6 2 2 255\n" + bytes(12), b"%!PS-Adobe-3.0"],
)
def test_other_formats_reach_no_decoder(content: bytes) -> None:
    with pytest.raises(ImageError, match="known format"):
        decode_image(content, "drawing")


def test_decoders_print_nothing(capfd) -> None:
    """Where libjpeg would warn, the photo is decoded; where libpng would fail, it is refused."""
    jpeg = noise("JPEG")
    scan = jpeg.index(b"\xff\xda")
    assert decode_image(jpeg[:scan] + bytes(7) + jpeg[scan:], "photo").shape == (64, 64, 3)
    assert decode_image(jpeg[:-2], "without its end").shape == (64, 64, 3)
    with pytest.raises(ImageError, match="damaged"):
        decode_image(png(4, 4, 8, 2, b"\x09" * 52), "wrong filter")
    good = encoded(Image.fromarray(gradient()), "PNG")
    with pytest.raises(ImageError, match="several headers"):
        decode_image(good[:33] + good[8:], "two headers")
    with pytest.raises(ImageError, match="known format"):
        decode_image(encoded(Image.new("F", (4, 4)), "TIFF").replace(b"II*", b"II+"), "BigTIFF")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".jpg", ".webp"])
def test_write_then_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out é{suffix}"
    write_image(path, gradient())
    assert np.abs(read_image(path).astype(int) - gradient()).mean() < 12
    write_image(path, gradient()[..., 0])
    assert np.ptp(read_image(path), axis=2).max() <= 2
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_write_refuses(tmp_path: Path, capfd) -> None:
    with pytest.raises(OutputError, match="suffix"):
        write_image(tmp_path / "out.unknown", gradient())
    with pytest.raises(OutputError, match="suffix"):
        write_image(tmp_path / "out", gradient())
    with pytest.raises(ImageError, match="uint8"):
        write_image(tmp_path / "out.png", gradient().astype(np.float32))
    with pytest.raises(ImageError, match="uint8"):
        write_image(tmp_path / "out.png", np.zeros((0, 4, 3), np.uint8))
    with pytest.raises(OutputError, match="cannot write"):
        write_image(tmp_path / "missing" / "out.png", gradient())
    with pytest.raises(OutputError, match="too large for the format"):
        write_image(tmp_path / "out.jpg", np.zeros((1, 70000, 3), np.uint8))
    assert capfd.readouterr().err == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("width", "height", "side", "factor"), [(320, 240, 100, 2), (320, 240, 69, 4), (328, 240, 8, 8)]
)
def test_large_jpeg_is_decoded_at_a_fraction(orientation: int, width: int, height: int, side: int, factor: int) -> None:
    stored = cv2.resize(gradient(), (width, height), interpolation=cv2.INTER_CUBIC)
    content = encoded(Image.fromarray(stored), "JPEG", quality=98, subsampling=0, exif=exif(orientation))
    reduced, whole = decode_reduced(content, "photo", side), decode_image(content, "photo")
    assert reduced.factor == factor and reduced.size == (whole.shape[1], whole.shape[0])
    wanted = cv2.resize(whole, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    assert reduced.image.shape == wanted.shape and reduced.image.flags.c_contiguous
    assert np.abs(reduced.image.astype(int) - wanted).max() <= 4


def test_sides_that_are_not_multiples_of_the_factor() -> None:
    stored = cv2.resize(gradient(), (321, 243), interpolation=cv2.INTER_CUBIC)
    for orientation, factor, shape in ((1, 2, (122, 161, 3)), (3, 1, (243, 321, 3)), (6, 1, (321, 243, 3))):
        content = encoded(Image.fromarray(stored), "JPEG", exif=exif(orientation))
        reduced = decode_reduced(content, "photo", 100)
        assert reduced.factor == factor and reduced.image.shape == shape
        assert sorted(reduced.size) == [243, 321]


def test_other_images_are_decoded_in_full() -> None:
    picture = Image.fromarray(cv2.resize(gradient(), (320, 240)))
    jpeg = encoded(picture, "JPEG")
    for content in (
        jpeg,
        jpeg[:2] + b"\xff" + jpeg[2:],
        encoded(picture, "PNG"),
        encoded(picture.convert("L"), "JPEG"),
    ):
        reduced = decode_reduced(content, "photo", 200)
        assert reduced.factor == 1 and reduced.size == (320, 240)
        np.testing.assert_array_equal(reduced.image, decode_image(content, "photo"))
    assert decode_reduced(encoded(picture.convert("L"), "JPEG"), "photo", 100).image.shape == (120, 160, 3)
    for content in (b"", b"\xff\xd8", jpeg[:30], b"words"):
        with pytest.raises(ImageError):
            decode_reduced(content, "photo", 10)
