"""Untrusted images: size limits are checked before decoding."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from ddfa.images import encode_image
from ddfa.serve.errors import ServiceError
from ddfa.serve.image_limits import decode_checked

IMAGE = np.random.default_rng(0).integers(0, 255, (12, 20, 3)).astype(np.uint8)
PNG = encode_image(Path("image.png"), IMAGE)


def test_an_image_within_the_limit_is_decoded() -> None:
    np.testing.assert_array_equal(decode_checked(PNG, 240), IMAGE)


def test_a_bomb_is_refused_by_its_header() -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = PNG[:8] + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + PNG[33:]
    with pytest.raises(ServiceError, match="60000 x 60000 px") as refused:
        decode_checked(bomb, 50_000_000)
    assert refused.value.status == 413


@pytest.mark.parametrize("content", [b"", b"text", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", PNG[:60]])
def test_anything_else_is_not_an_image(content: bytes) -> None:
    with pytest.raises(ServiceError) as refused:
        decode_checked(content, 240)
    assert (refused.value.status, refused.value.code) == (415, "not_a_picture")
