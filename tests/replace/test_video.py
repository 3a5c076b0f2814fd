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


def _interrupt(monkeypatch, after: int) -> None:
    """Ctrl-C before frame number `after` is replaced."""
    from ddfa.replace.video import VideoReplacer

    replaced = VideoReplacer._replaced

    def interrupted(self, frame, tracked):
        if frame.index == after:
            raise KeyboardInterrupt
        return replaced(self, frame, tracked)

    monkeypatch.setattr(VideoReplacer, "_replaced", interrupted)


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
    # What has been rendered is kept, to be signed when the command is given again.
    left = {path.name for path in tmp_path.iterdir()}
    assert out.read_bytes() == b"an older file" and left == {clip.name, out.name, out.name + ".parts"}


def test_an_interrupted_video_is_signed_and_plays(root: Path, tmp_path: Path, monkeypatch) -> None:
    av = pytest.importorskip("av", reason="needs the extra `video`")
    from ddfa.commands import replace

    signed = []

    class Signer:
        def __init__(self, certificate: Path, key: Path) -> None: ...

        def sign(self, content: bytes, suffix: str) -> bytes:
            signed.append(len(content))
            return content

    _interrupt(monkeypatch, 2)
    monkeypatch.setattr(replace, "C2paSigner", Signer)
    clip, out = tmp_path / "clip.mp4", tmp_path / "out.mp4"
    _write_clip(clip, read_image(root / "samples" / "astronaut.jpg")[:300, :400], 4)
    words = ["replace", str(root / "samples" / "grace_hopper.jpg"), str(clip), "-o", str(out), "--threads", "1"]
    assert main([*words, "--c2pa", "cert.pem", "key.pem"]) == 130
    with av.open(str(out)) as container:
        assert len(list(container.decode(video=0))) == 2
    assert signed == [out.stat().st_size]


def _shown(path: Path) -> np.ndarray:
    """All frames of a video, (N, H, W, 3) int, and their times."""
    import av

    with av.open(str(path)) as container:
        frames = [(frame.to_ndarray(format="rgb24").astype(int), frame.time) for frame in container.decode(video=0)]
    return np.stack([image for image, _ in frames]), [time for _, time in frames]


def test_an_interrupted_run_is_continued(root: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    pytest.importorskip("av", reason="needs the extra `video`")
    from ddfa.replace import resume

    monkeypatch.setattr(resume, "PART", 3)
    clip, out, parts = tmp_path / "clip.mp4", tmp_path / "out.mp4", tmp_path / "out.mp4.parts"
    _write_clip(clip, read_image(root / "samples" / "astronaut.jpg")[:300, :400], 8)
    words = ["replace", str(root / "samples" / "grace_hopper.jpg"), str(clip), "-o", str(out), "--threads", "1"]
    assert main([*words, "--shape", "target"]) == 0
    whole, times = _shown(out)
    assert not parts.exists()
    with monkeypatch.context() as patch:
        _interrupt(patch, 5)
        assert main([*words, "--shape", "target"]) == 130
    first, _ = _shown(out)
    assert len(first) == 5 and len(list(parts.glob("*.mp4"))) == 2
    for part in parts.glob("*.mp4"):
        assert DIGITAL_SOURCE_TYPE.encode() in part.read_bytes()
    assert main([*words, "--shape", "source"]) == 2
    assert "other settings (options): choose another output, or remove" in capsys.readouterr().err
    assert main([*words, "--shape", "target"]) == 0
    printed = capsys.readouterr()
    assert "5 frames of an earlier run are kept" in printed.err and "replaced in 8 of 8 frames" in printed.out
    again, times_again = _shown(out)
    assert len(again) == 8 and np.allclose(times, times_again) and not parts.exists()
    assert np.abs(again - whole).mean() < 1.5 and np.abs(again - whole).max() < 60  # encoded in other parts
    assert DIGITAL_SOURCE_TYPE.encode() in out.read_bytes()


def test_after_a_restart_frames_are_the_same(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="needs the extra `video`")
    from ddfa import FaceAligner
    from ddfa.replace.pairs import Pair
    from ddfa.replace.replacer import Replacer
    from ddfa.replace.source import load_source
    from ddfa.replace.video import VideoReplacer
    from ddfa.video.io.frames import Frame
    from ddfa.video.tracking.tracker import FaceTracker

    aligner = FaceAligner(threads=1)
    photo = read_image(root / "samples" / "astronaut.jpg")
    frames = [Frame(np.ascontiguousarray(photo[: 300 - 2 * k, k : 380 + k]), k / 25, k) for k in range(6)]
    frames = [Frame(np.ascontiguousarray(frame.image[:280, :360]), frame.time, frame.index) for frame in frames]
    pairs = [Pair(Replacer(load_source(aligner, [root / "samples" / "grace_hopper.jpg"]), "blend", 256))]
    whole, states = [], []
    editor = VideoReplacer(pairs, FaceTracker(aligner))
    for image, _ in editor.frames(frames):
        whole.append(image.unmarked_pixels)
        states.append(dict(editor.state))
    again = VideoReplacer(pairs, FaceTracker(aligner))
    again.state = states[2]
    rest = [image.unmarked_pixels for image, _ in again.frames(frames, done=3)]
    assert again.replaced == 6 and len(rest) == 3
    assert all(np.array_equal(a, b) for a, b in zip(rest, whole[3:], strict=True))
