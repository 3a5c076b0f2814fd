"""`ddfa fuse`: one head from several photos or a video, or one clear error."""

import json
from pathlib import Path

import numpy as np
import pytest

from ddfa.cli import main
from ddfa.images import read_image, write_image


@pytest.fixture(scope="module")
def photos(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person twice alone and once beside somebody else; nobody."""
    folder = tmp_path_factory.mktemp("photos")
    own, other = (read_image(root / "samples" / f"{name}.jpg") for name in ("astronaut", "grace_hopper"))
    write_image(folder / "a.png", own)
    write_image(folder / "b.png", np.ascontiguousarray(own[:, ::-1]))
    both = np.zeros((max(len(own), len(other)), own.shape[1] + other.shape[1], 3), np.uint8)
    both[: len(other), : other.shape[1]] = other
    both[: len(own), other.shape[1] :] = own
    write_image(folder / "c.png", both)
    write_image(folder / "d.png", np.full((80, 80, 3), 90, np.uint8))
    return folder


def test_one_head_of_the_photos_that_show_the_person(root: Path, photos: Path, tmp_path: Path, capsys) -> None:
    words = ["fuse", str(photos), "-o", str(tmp_path / "out"), "--texture-size", "128", "--threads", "1"]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "3 of 4 images" in printed.out
    assert printed.err.count("not found") == 1 and "d.png: the person is not found" in printed.err
    record = json.loads((tmp_path / "out" / "fused.json").read_text())
    assert record["format"] == "openddfa.fused" and len(record["identity"]) == 80
    assert [image["found"] for image in record["images"]] == [True, True, True, False]
    other = read_image(root / "samples" / "grace_hopper.jpg")
    assert record["images"][2]["box"][0] > other.shape[1]
    assert sum(image.get("weight", 0) for image in record["images"]) == pytest.approx(1, abs=1e-4)
    assert (tmp_path / "out" / "fused.glb").read_bytes()[:4] == b"glTF"
    assert (tmp_path / "out" / "fused.ply").is_file()


def test_a_video(root: Path, tmp_path: Path, capsys) -> None:
    pytest.importorskip("av", reason="needs the extra `video`")
    from ddfa.video.io.frames import VideoWriter

    photo = read_image(root / "samples" / "astronaut.jpg")[:300, :400]
    with VideoWriter(tmp_path / "clip.mp4", (400, 300), 25) as writer:
        for index in range(5):
            writer.write(photo, index / 25)
    words = ["fuse", str(tmp_path / "clip.mp4"), "-o", str(tmp_path), "--every", "2", "--name", "me"]
    assert main([*words, "--texture-size", "64", "--threads", "1"]) == 0
    assert "3 of 3 images" in capsys.readouterr().out
    assert (tmp_path / "me.glb").is_file()


def test_nobody_is_no_output(photos: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert main(["fuse", str(photos / "d.png"), "-o", str(out)]) == 1
    assert "no image shows a face" in capsys.readouterr().err
    assert main(["fuse", str(photos / "a.png"), "-o", str(out), "--face", "5"]) == 1
    assert "choose another face" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no photo given"),
        (["a.jpg", "--face", "-1"], "from 0"),
        (["a.jpg", "--every", "0"], "from 1"),
        (["a.jpg", "--texture-size", "9"], "64 to 4096"),
        (["a.jpg", "--name", "x/y"], "without a folder"),
    ],
)
def test_mistakes(words: list[str], message: str, tmp_path: Path, capsys) -> None:
    assert main(["fuse", *words, "-o", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
