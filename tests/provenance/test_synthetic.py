"""Synthetic images and videos are written with provenance, and by nothing else."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ddfa import read_image, write_image
from ddfa.errors import OutputError
from ddfa.images import SyntheticImage, encode_image
from ddfa.provenance import check_image_path, encode_synthetic, write_synthetic
from ddfa.provenance.xmp import DIGITAL_SOURCE_TYPE, STATEMENT


class Signer:
    """Appends a signature; remembers what it has signed."""

    def __init__(self) -> None:
        self.signed: list[tuple[bytes, str]] = []

    def sign(self, content: bytes, suffix: str) -> bytes:
        self.signed.append((content, suffix))
        return content + b"signature"


class RefusingSigner:
    def sign(self, content: bytes, suffix: str) -> bytes:
        raise OutputError("cannot sign")


@pytest.fixture
def image() -> SyntheticImage:
    return SyntheticImage(np.full((64, 96, 3), 140, np.uint8))


def test_a_synthetic_image_is_a_copy() -> None:
    photo = np.zeros((4, 5, 3), np.uint8)
    synthetic = SyntheticImage(photo)
    synthetic.unmarked_pixels[:] = 9
    assert not photo.any()


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_written_images_carry_xmp_and_keep_their_pixels(image: SyntheticImage, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write_synthetic(path, image)
    assert path.read_bytes() == encode_synthetic(image, suffix)
    assert DIGITAL_SOURCE_TYPE.encode() in path.read_bytes() and STATEMENT.encode() in path.read_bytes()
    assert np.array_equal(read_image(path), image.unmarked_pixels)


def test_the_label_is_drawn_into_the_file_only(image: SyntheticImage, tmp_path: Path) -> None:
    write_synthetic(tmp_path / "out.png", image, label=True)
    assert (read_image(tmp_path / "out.png")[32:] > 200).any()
    assert (image.unmarked_pixels == 140).all()


def test_the_signer_gets_the_file_with_its_xmp(image: SyntheticImage) -> None:
    signer = Signer()
    content = encode_synthetic(image, ".jpg", signer=signer)  # type: ignore[arg-type]
    ((signed, suffix),) = signer.signed
    assert content == signed + b"signature" and signed == encode_synthetic(image, ".jpg") and suffix == ".jpg"


def test_a_file_that_cannot_be_signed_leaves_the_existing_one(image: SyntheticImage, tmp_path: Path) -> None:
    path = tmp_path / "out.jpg"
    path.write_bytes(b"an older file")
    with pytest.raises(OutputError, match="cannot sign"):
        write_synthetic(path, image, signer=RefusingSigner())  # type: ignore[arg-type]
    assert path.read_bytes() == b"an older file" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["out.webp", "out.bmp", "out"])
def test_formats_without_xmp_are_refused(image: SyntheticImage, tmp_path: Path, name: str) -> None:
    for refused in (lambda path: write_synthetic(path, image), check_image_path):
        with pytest.raises(OutputError, match=r"name it \.jpg or \.png"):
            refused(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_plain_writers_refuse_synthetic_images(image: SyntheticImage, tmp_path: Path) -> None:
    writers = (
        lambda: write_image(tmp_path / "out.png", image),  # type: ignore[arg-type]
        lambda: encode_image(Path("out.png"), image),  # type: ignore[arg-type]
        lambda: np.asarray(image),
    )
    for write in writers:
        with pytest.raises(OutputError, match=r"use ddfa\.provenance\.write_synthetic"):
            write()
    with pytest.raises((cv2.error, OutputError)):
        cv2.imwrite(str(tmp_path / "out.png"), image)  # type: ignore[call-overload]
    assert not list(tmp_path.iterdir())


def test_a_plain_video_writer_refuses_synthetic_frames(image: SyntheticImage, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="needs the extra `video`")
    from ddfa.video.io.frames import VideoWriter

    with (
        pytest.raises(OutputError, match="write_synthetic"),
        VideoWriter(tmp_path / "out.mp4", (96, 64)) as writer,
    ):
        writer.write(image, 0)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("label", [False, True])
def test_videos_carry_their_statement_and_the_label_on_request(
    image: SyntheticImage, tmp_path: Path, label: bool
) -> None:
    av = pytest.importorskip("av", reason="needs the extra `video`")
    from ddfa.provenance.video import SyntheticVideoWriter

    path, signer = tmp_path / "out.mp4", Signer()
    with SyntheticVideoWriter(path, (96, 64), label=label, signer=signer) as writer:  # type: ignore[arg-type]
        for index in range(3):
            writer.write(image, index / 25)
    assert writer.written == 3 and writer.keep
    ((signed, suffix),) = signer.signed
    assert path.read_bytes() == signed + b"signature" and suffix == ".mp4"
    with av.open(str(path)) as container:
        assert DIGITAL_SOURCE_TYPE in container.metadata["comment"]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 3 and all((frame[32:] > 190).any() == label for frame in frames)


def test_a_video_that_is_not_kept_leaves_the_existing_file(image: SyntheticImage, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="needs the extra `video`")
    from ddfa.provenance.video import SyntheticVideoWriter

    path = tmp_path / "out.mp4"
    path.write_bytes(b"an older file")
    with SyntheticVideoWriter(path, (96, 64)) as writer:
        writer.keep = False
        writer.write(image, 0)
    assert path.read_bytes() == b"an older file" and list(tmp_path.iterdir()) == [path]
