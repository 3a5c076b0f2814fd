import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ddfa.errors import ImageError, OutputError
from ddfa.image_input import as_image
from ddfa.images import SyntheticImage

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


@given(st.sampled_from(["u1", "u2", "f4", "f8"]), st.sampled_from([1, 3, 4]), st.integers(0, 99))
def test_arrays_of_every_kind_become_rgb(kind, channels, seed):
    bytes8 = np.random.default_rng(seed).integers(0, 256, (4, 6, channels), np.uint8)
    if channels == 4:
        bytes8[..., 3] = 255
    given = {"u1": bytes8, "u2": bytes8.astype(np.uint16) * 257}.get(kind, (bytes8 / 255).astype(kind))
    expected = np.repeat(bytes8, 3, axis=2) if channels == 1 else bytes8[..., :3]
    np.testing.assert_array_equal(as_image(given), expected)
    if channels == 1:
        np.testing.assert_array_equal(as_image(given[..., 0]), expected)


def test_rgb_is_not_copied():
    assert as_image(RGB) is RGB


def test_transparency_is_white():
    clear = np.zeros((2, 2, 4), np.uint8)
    assert (as_image(clear) == 255).all() and (as_image(Image.fromarray(clear)) == 255).all()


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "I;16", "F", "RGBA", "LA"])
def test_modes_of_pillow(mode):
    grey = Image.fromarray(np.full((3, 4), 255, np.uint8))
    image = Image.fromarray(np.ones((3, 4), np.float32)) if mode == "F" else grey.convert(mode)
    if mode == "I;16":
        image = Image.fromarray(np.full((3, 4), 65535, np.uint16))
    assert (as_image(image) == 255).all() and as_image(image).shape == (3, 4, 3)


def test_exif_orientation_of_pillow_images():
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RGB).save(file, "PNG", exif=exif)
    np.testing.assert_array_equal(as_image(Image.open(file)), np.rot90(RGB, 3))
    np.testing.assert_array_equal(as_image(file.getvalue()), np.rot90(RGB, 3))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.full((3, 3, 3), 200.0), r"in \[0, 1\], not 200 to 200: divide by 255"),
        (np.full((3, 3), np.nan), r"in \[0, 1\]"),
        (np.zeros((3, 3), np.int64), "int64 is ambiguous"),
        (np.zeros((3, 3), bool), "bool is ambiguous"),
        (np.zeros((3, 9, 9), np.uint8), "channels last"),
        ("missing.jpg", "missing.jpg"),
        (b"no image", "in memory is not an image"),
        (object(), "pass a path"),
    ],
)
def test_others_are_refused(image, message):
    with pytest.raises(ImageError, match=message):
        as_image(image)


def test_synthetic_images_stay_marked():
    with pytest.raises(OutputError, match="provenance"):
        as_image(SyntheticImage(RGB))
