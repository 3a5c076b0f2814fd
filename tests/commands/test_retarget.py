"""`ddfa retarget`: a head moved by a video, or one clear error."""

from pathlib import Path

import numpy as np
import pytest

from ddfa import FaceAligner, read_image
from ddfa.cli import main
from ddfa.errors import ImageError, ModelError
from ddfa.images import SyntheticImage
from ddfa.replace.retarget import PLAIN, TexturedHead, VideoRetargeter


def test_the_head_moves_before_a_plain_ground(root: Path, tmp_path: Path, capsys) -> None:
    av = pytest.importorskip("av", reason="needs the extra `video`")
    from ddfa.video.io.frames import VideoWriter

    photo = read_image(root / "samples" / "astronaut.jpg")[:300, :400]
    clip, out = tmp_path / "clip.mp4", tmp_path / "out.mp4"
    with VideoWriter(clip, (400, 300), 25) as writer:
        for index in range(3):
            writer.write(photo, index / 25)
    words = ["retarget", str(root / "samples" / "grace_hopper.jpg"), str(clip), "-o", str(out), "--threads", "1"]
    assert main(words) == 0
    assert "moves in 3 of 3 frames" in capsys.readouterr().out
    with av.open(str(out)) as container:
        assert "DigitalSourceType" in container.metadata["comment"]
        image = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    away = np.abs(image - PLAIN).max(axis=2)
    assert away[:20, :100].max() < 12 and away[100:150, 200:240].mean() > 25


def test_the_texture_is_drawn_on_the_face_only(root: Path) -> None:
    photo = read_image(root / "samples" / "astronaut.jpg")
    aligner = FaceAligner(threads=1)
    face = aligner(photo).single(0)
    synthetic = SyntheticImage(photo)
    TexturedHead(aligner.head, np.full((64, 64, 3), (9, 200, 77), np.uint8)).draw(synthetic, face)
    image = synthetic.unmarked_pixels
    x, y = face.landmarks68[0, 30, :2].astype(int)
    assert tuple(image[y, x]) == (9, 200, 77)
    assert np.array_equal(image[300:], photo[300:])


def test_mistakes(root: Path, tmp_path: Path, toy_head, capsys) -> None:
    assert main(["retarget", "a.jpg", "-o", str(tmp_path / "o.mp4")]) == 2
    assert "PHOTO VIDEO" in capsys.readouterr().err
    from dataclasses import replace

    with pytest.raises(ModelError, match="no texture coordinates"):
        TexturedHead(replace(toy_head, uv=None, uv_triangles=None), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ImageError, match="square"):
        TexturedHead(toy_head, np.zeros((8, 9, 3), np.uint8))


def test_frames_without_the_face_are_kept_as_they_are(root: Path) -> None:
    """Over the video: the head is drawn where its face is tracked; other frames and faces are left alone."""
    from ddfa.video.io.source import Frame
    from ddfa.video.tracking.tracker import TrackedFace

    photo = read_image(root / "samples" / "astronaut.jpg")
    aligner = FaceAligner(threads=1)
    face = aligner(photo).single(0)
    found = [[], [TrackedFace(0, face)], [TrackedFace(1, face)]]
    head = TexturedHead(aligner.head, np.full((64, 64, 3), (9, 200, 77), np.uint8))
    work = VideoRetargeter(head, lambda frame: found[frame.index], over=True)
    frames = list(work.frames(Frame(photo, index / 25, index) for index in range(3)))
    assert [time for _, time in frames] == [0, 1 / 25, 2 / 25] and work.replaced == 1
    changed = [(synthetic.unmarked_pixels != photo).any() for synthetic, _ in frames]
    assert changed == [False, True, False]


def test_the_head_of_a_photo(root: Path) -> None:
    photo = read_image(root / "samples" / "astronaut.jpg")
    face = FaceAligner(threads=1)(photo).single(0)
    synthetic = SyntheticImage(np.zeros_like(photo))
    TexturedHead.from_photo(photo, face).draw(synthetic, face)
    drawn = synthetic.unmarked_pixels
    inside = drawn.any(axis=2)
    assert 0.02 < inside.mean() < 0.2
    assert np.median(np.abs(drawn[inside].astype(int) - photo[inside])) < 5  # the texture is that of the photo
