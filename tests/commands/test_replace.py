"""`ddfa replace`: files in, one file out, or one clear error."""

from pathlib import Path

import numpy as np
import pytest

from ddfa import read_image
from ddfa.cli import main
from ddfa.images import write_image


def test_photo(root: Path, tmp_path: Path, capsys) -> None:
    target, out = root / "samples" / "test1.jpg", tmp_path / "out.png"
    words = [
        "replace",
        str(root / "samples" / "astronaut.jpg"),
        str(target),
        "-o",
        str(out),
        "--threads",
        "1",
        "--label",
    ]
    assert main(words) == 0
    assert "1 face replaced" in capsys.readouterr().out
    before, after = read_image(target), read_image(out)
    changed = (before != after).any(axis=2)
    assert changed[:, : changed.shape[1] // 2].any()
    assert not changed[: changed.shape[0] // 2, changed.shape[1] // 2 :].any()  # face 1 stays
    assert b"compositeWithTrainedAlgorithmicMedia" in out.read_bytes()


@pytest.mark.parametrize("blank", ["source", "target"])
def test_no_face(root: Path, tmp_path: Path, capsys, blank: str) -> None:
    empty, person = tmp_path / "empty.png", root / "samples" / "astronaut.jpg"
    write_image(empty, np.full((90, 120, 3), 99, np.uint8))
    files = [str(empty), str(person)] if blank == "source" else [str(person), str(empty)]
    assert main(["replace", *files, "-o", str(tmp_path / "out.png"), "--threads", "1"]) == 1
    assert "empty.png shows no face" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["a.jpg"], "name the source and the target"),
        (["a.jpg", "b.jpg"], "-o OUT"),
        (["a.jpg", "b.jpg", "-o", "."], "is a folder"),
        (["a.jpg", "b.jpg", "-o", "nowhere/out.jpg"], "does not exist"),
        (["a.jpg", "b.jpg", "-o", "out.webp"], "name it .jpg or .png"),
        (["a.jpg", "b.jpg", "-o", "b.jpg"], "is also an input"),
        (["a.jpg", "b.jpg", "-o", "out.jpg", "--face", "two"], "--face is a number"),
        (["a.jpg", "b.jpg", "-o", "out.jpg", "--shape", "round"], "--shape round: give"),
        (["a.jpg", "b.jpg", "-o", "out.jpg", "--limit", "-1"], "--limit -1: give"),
        (["a.jpg", "b.jpg", "-o", "out.jpg", "--start", "1"], "--start and --duration are for videos"),
        (["missing.jpg", "b.jpg", "-o", "out.jpg"], "does not exist"),
        (["a.jpg:0", "c.jpg", "b.jpg", "-o", "out.jpg"], "c.jpg does not say whom it replaces"),
        (["a.jpg:0", "b.jpg", "-o", "out.jpg", "--face", "1"], "leave --face out"),
        (["a.jpg", "b.jpg:1", "-o", "out.jpg"], "the target comes last"),
        (["a.jpg:1", "b.jpg", "-o", "a.jpg"], "is also an input"),
        (["a.jpg", "b.jpg", "-o", "out.jpg", "--source-face", "-1"], "--source-face -1"),
    ],
)
def test_mistakes(words: list[str], named: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.jpg"):
        write_image(tmp_path / name, np.full((20, 20, 3), 99, np.uint8))
    assert main(["replace", *words]) == 2
    error = capsys.readouterr().err
    assert named in error and error.count("\n") == 1
    assert not list(tmp_path.glob("out*"))


def test_the_person_is_chosen_by_a_photo(root: Path, tmp_path: Path, capsys) -> None:
    target, face = root / "samples" / "test1.jpg", tmp_path / "face.png"
    photo = read_image(target)
    write_image(face, np.ascontiguousarray(photo[:, photo.shape[1] // 2 :]))  # face 1 alone
    words = ["replace", str(root / "samples" / "astronaut.jpg"), str(target), "--threads", "1"]
    assert main([*words, "-o", str(tmp_path / "out.png"), "--face", str(face), "--shape", "0.3"]) == 0
    assert "1 face replaced, quality" in capsys.readouterr().out
    changed = (photo != read_image(tmp_path / "out.png")).any(axis=2)
    assert changed.any() and not changed[:, : changed.shape[1] // 2].any()


def test_a_pair_of_too_low_quality_is_refused(root: Path, tmp_path: Path, capsys) -> None:
    small = tmp_path / "small.png"
    write_image(small, np.ascontiguousarray(read_image(root / "samples" / "astronaut.jpg")[::8, ::8]))
    words = ["replace", str(small), str(root / "samples" / "test1.jpg"), "-o", str(tmp_path / "out.png")]
    assert main([*words, "--threads", "1", "--min-quality", "0.9", "--min-score", "0.1"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "out.png").exists()


def test_two_people_are_exchanged(root: Path, tmp_path: Path, capsys) -> None:
    group, out = root / "samples" / "test1.jpg", tmp_path / "out.png"
    words = ["replace", f"{group}#0:1", f"{group}#1:0", str(group), "-o", str(out), "--threads", "1"]
    assert main(words) == 0
    assert "2 faces replaced, quality" in capsys.readouterr().out
    photo = read_image(group)
    changed = (photo != read_image(out)).any(axis=2)
    middle = changed.shape[1] // 2
    assert changed[:, :middle].any() and changed[:, middle:].any()


def test_somebody_who_is_not_there(root: Path, tmp_path: Path, capsys) -> None:
    samples = root / "samples"
    words = [f"{samples / 'astronaut.jpg'}:0", f"{samples / 'grace_hopper.jpg'}:2", str(samples / "test1.jpg")]
    assert main(["replace", *words, "-o", str(tmp_path / "out.png"), "--threads", "1"]) == 1
    assert "shows only 2" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
