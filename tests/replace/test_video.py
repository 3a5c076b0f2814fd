"""Faces replaced in a video: without flicker, tagged and signed."""

from pathlib import Path

import numpy as np
import pytest

from ddfa import read_image
from ddfa.cli import main
from ddfa.errors import OutputError
from ddfa.provenance.xmp import DIGITAL_SOURCE_TYPE


def _write_clip(path: Path, image: np.ndarray, frames: int) -> None:
    from ddfa.video.io.frames import VideoWriter

    with VideoWriter(path, (image.shape[1], image.shape[0]), 25) as writer:
        for index in range(frames):
            writer.write(image, index / 25)


def test_a_still_clip_stays_still(root: Path, tmp_path: Path, capsys) -> None:
    av = pytest.importorskip("av", reason="needs the extra `video`")
    clip, out = tmp_path / "clip.mp4", tmp_path / "out.mp4"
    photo = read_image(root / "samples" / "astronaut.jpg")[:300, :400]
    _write_clip(clip, photo, 6)
    words = ["replace", str(root / "samples" / "grace_hopper.jpg"), str(clip), "-o", str(out), "--threads", "1"]
    assert main(words) == 0
    assert "faces replaced in 6 of 6 frames" in capsys.readouterr().out
    with av.open(str(out)) as container:
        assert DIGITAL_SOURCE_TYPE in container.metadata["comment"]
        shown = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    changed = np.abs(shown[0] - photo).max(axis=2) > 40
    assert changed[80:170, 180:270].mean() > 0.02 and not changed[:40].any()
    assert max(np.abs(a - b).mean() for a, b in zip(shown[1:], shown, strict=False)) < 1.0


def test_two_people_in_a_clip_get_their_own_sources(root: Path, tmp_path: Path, capsys) -> None:
    av = pytest.importorskip("av", reason="needs the extra `video`")
    clip, out, samples = tmp_path / "clip.mp4", tmp_path / "out.mp4", root / "samples"
    photo = read_image(samples / "test1.jpg")
    _write_clip(clip, photo, 3)
    words = [f"{samples / 'astronaut.jpg'}:0", f"{samples / 'grace_hopper.jpg'}:1", f"{samples / 'astronaut.jpg'}:9"]
    assert main(["replace", *words, str(clip), "-o", str(out), "--threads", "1"]) == 0
    printed = capsys.readouterr()
    assert "faces replaced in 3 of 3 frames" in printed.out and "astronaut.jpg replaces nobody" in printed.err
    with av.open(str(out)) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    changed = np.abs(shown[: photo.shape[0], : photo.shape[1]] - photo).max(axis=2) > 40
    middle = photo.shape[1] // 2
    assert changed[:, :middle].any() and changed[:, middle:].any()


@pytest.mark.parametrize("command", ["replace", "retarget"])
def test_a_clip_without_faces_leaves_what_was_there(root: Path, tmp_path: Path, capsys, command: str) -> None:
    pytest.importorskip("av", reason="needs the extra `video`")
    clip, out = tmp_path / "clip.mp4", tmp_path / "out.mp4"
    _write_clip(clip, np.full((120, 160, 3), 90, np.uint8), 3)
    words = [command, str(root / "samples" / "astronaut.jpg"), str(clip), "-o", str(out), "--threads", "1"]
    assert main(words) == 1
    assert "shows no face" in capsys.readouterr().err and not out.exists()
    out.write_bytes(b"an older file")
    assert main(words) == 1
    assert out.read_bytes() == b"an older file" and {path.name for path in tmp_path.iterdir()} == {clip.name, out.name}


def test_a_video_that_cannot_be_signed_leaves_what_was_there(root: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    pytest.importorskip("av", reason="needs the extra `video`")
    from ddfa.commands import replace

    class Refuses:
        def __init__(self, certificate: Path, key: Path) -> None: ...

        def sign(self, content: bytes, suffix: str) -> bytes:
            assert content[4:8] == b"ftyp" and suffix == ".mp4"  # the whole, finished file
            raise OutputError("cannot sign (no)")

    monkeypatch.setattr(replace, "C2paSigner", Refuses)
    clip, out = tmp_path / "clip.mp4", tmp_path / "out.mp4"
    _write_clip(clip, read_image(root / "samples" / "astronaut.jpg")[:300, :400], 2)
    out.write_bytes(b"an older file")
    words = ["replace", str(root / "samples" / "grace_hopper.jpg"), str(clip), "-o", str(out), "--threads", "1"]
    assert main([*words, "--c2pa", "cert.pem", "key.pem"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert out.read_bytes() == b"an older file" and {path.name for path in tmp_path.iterdir()} == {clip.name, out.name}


def test_an_interrupted_video_is_signed_and_plays(root: Path, tmp_path: Path, monkeypatch) -> None:
    av = pytest.importorskip("av", reason="needs the extra `video`")
    from ddfa.commands import replace
    from ddfa.replace.video import VideoReplacer

    signed = []

    class Signer:
        def __init__(self, certificate: Path, key: Path) -> None: ...

        def sign(self, content: bytes, suffix: str) -> bytes:
            signed.append(len(content))
            return content

    def interrupted(self, source):
        for number, frame in enumerate(source):
            if number == 2:
                raise KeyboardInterrupt
            yield self(frame), frame.time

    monkeypatch.setattr(replace, "C2paSigner", Signer)
    monkeypatch.setattr(VideoReplacer, "frames", interrupted)
    clip, out = tmp_path / "clip.mp4", tmp_path / "out.mp4"
    _write_clip(clip, read_image(root / "samples" / "astronaut.jpg")[:300, :400], 4)
    words = ["replace", str(root / "samples" / "grace_hopper.jpg"), str(clip), "-o", str(out), "--threads", "1"]
    assert main([*words, "--c2pa", "cert.pem", "key.pem"]) == 130
    with av.open(str(out)) as container:
        assert len(list(container.decode(video=0))) == 2
    assert signed == [out.stat().st_size]
