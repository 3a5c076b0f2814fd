"""Size and format from the header of a file."""

import io

import pytest
from PIL import Image

from ddfa.formats.headers import format_of, stored_size


def encoded(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 24), "red").save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("JPEG", encoded("JPEG")),
        ("JPEG", encoded("JPEG", progressive=True)),
        ("PNG", encoded("PNG")),
        ("GIF", encoded("GIF")),
        ("BMP", encoded("BMP")),
        ("TIFF", encoded("TIFF")),
        ("WebP", encoded("WEBP")),
        ("WebP", encoded("WEBP", lossless=True)),
        ("WebP", encoded("WEBP", save_all=True, append_images=[Image.new("RGB", (40, 24), "blue")])),
    ],
)
def test_size(name: str, content: bytes) -> None:
    assert format_of(content) == name
    assert stored_size(content, name) == (40, 24)
    assert all(stored_size(content[:end], name) in (None, (40, 24)) for end in range(min(len(content), 200)))


@pytest.mark.parametrize("content", [b"", b"RIFF\0\0\0\0WAVE", b"<svg/>", b"II+\0", b"\0\0\0\x18ftypmp42"])
def test_other_files(content: bytes) -> None:
    assert format_of(content) is None


def test_sides_of_zero() -> None:
    assert stored_size(b"GIF89a" + bytes(20), "GIF") is None
