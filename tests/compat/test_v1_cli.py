"""The command line of original 3DDFA V1 through `main.py`."""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from ddfa import exit_codes
from ddfa.compat import v1_cli
from ddfa.images import read_image, write_image


@pytest.fixture
def photo(root: Path, tmp_path: Path) -> Path:
    """A photo of two people with a full stop and its own suffix inside its name."""
    return Path(shutil.copy(root / "samples" / "test1.jpg", tmp_path / "a.jpg two.jpg"))


@pytest.fixture
def run(toy_bundle, capfd):
    """Run the command line without dlib; returns the exit code, stdout and stderr lines."""

    def run(*words: object, dlib: bool = False) -> tuple[int, list[str], list[str]]:
        arguments = [str(word) for word in words] + ["--model", str(toy_bundle.folder)]
        code = v1_cli.main(arguments if dlib else [*arguments, "--dlib_bbox", "false"])
        out, err = capfd.readouterr()
        return code, out.splitlines(), err.splitlines()

    return run


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_default_files_and_lines(run, photo: Path) -> None:
    code, out, err = run("-f", photo, "--bbox_init", "two")
    stem = str(photo)[: -len(".jpg")]
    per_face = [
        line
        for i in (0, 1)
        for line in (
            f"Dump tp {stem}_{i}.ply",
            f"Dump tp {stem}_{i}.mat",
            f"Save 68 3d landmarks to {stem}_{i}.txt",
            f"Dump obj with sampled texture to {stem}_{i}.obj",
        )
    ]
    assert (code, err) == (exit_codes.OK, [])
    assert out == [
        *per_face,
        f"Dump to {stem}_pose.jpg",
        f"Dump to {stem}_depth.png",
        f"Dump to {stem}_pncc.png",
        f"Save visualization result to {stem}_3DDFA.jpg",
    ]
    faces = {f"a.jpg two_{i}.{kind}" for i in (0, 1) for kind in ("ply", "mat", "txt", "obj")}
    pictures = {f"a.jpg two_{kind}" for kind in ("pose.jpg", "3DDFA.jpg", "depth.png", "pncc.png")}
    assert names(photo.parent) == {photo.name, *pictures, *faces}
    assert read_image(f"{stem}_pose.jpg").shape == read_image(photo).shape
    assert read_image(f"{stem}_3DDFA.jpg").shape == (1401, 2400, 3)


def test_every_optional_file(run, photo: Path) -> None:
    off = [word for name in ("ply", "pts", "pose", "depth", "pncc", "obj", "res") for word in (f"--dump_{name}", "0")]
    code, out, _ = run("--files", photo, *off, "--dump_vertex", "YES", "--dump_roi_box", "t", "--dump_paf", "1")
    stem = str(photo)[: -len(".jpg")]
    assert code == exit_codes.OK
    assert out[:3] == [
        f"Dump tp {stem}_0.mat",
        f"Save roi box to {stem}_0.roibox",
        f"Dump to {stem}_0_crop.jpg and {stem}_0_paf.jpg",
    ]
    assert loadmat(f"{stem}_0.mat")["vertex"].dtype == np.float32
    assert len(np.loadtxt(f"{stem}_0.roibox")) == 4
    assert read_image(f"{stem}_0_crop.jpg").shape == (120, 120, 3)
    faces = {f"a.jpg two_{i}{kind}" for i in (0, 1) for kind in (".mat", ".roibox", "_crop.jpg", "_paf.jpg")}
    assert names(photo.parent) == {photo.name, *faces}


ANNOUNCED = """\
Dump tp samples/test1_0.ply
Dump tp samples/test1_0.mat
Save 68 3d landmarks to samples/test1_0.txt
Dump obj with sampled texture to samples/test1_0.obj
Dump tp samples/test1_1.ply
Dump tp samples/test1_1.mat
Save 68 3d landmarks to samples/test1_1.txt
Dump obj with sampled texture to samples/test1_1.obj
Dump to samples/test1_pose.jpg
Dump to samples/test1_depth.png
Dump to samples/test1_pncc.png
Save visualization result to samples/test1_3DDFA.jpg
"""


@pytest.mark.parametrize("words", [[], ["--box_init=two", "--dlib_bbox=false"]], ids=["plain", "two steps, no dlib"])
def test_the_commands_of_the_original_announcement(root: Path, tmp_path: Path, words: list[str]) -> None:
    """`python3 main.py -f samples/test1.jpg`, in a folder that holds nothing but the sample: its whole output."""
    (tmp_path / "samples").mkdir()
    shutil.copy(root / "samples" / "test1.jpg", tmp_path / "samples")
    command = [sys.executable, str(root / "main.py"), "-f", "samples/test1.jpg", *words]
    run = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert (run.returncode, run.stdout) == (exit_codes.OK, ANNOUNCED), run.stderr
    assert run.stderr == "" or "YuNet is used instead" in run.stderr
    named = re.findall(r"samples/(\S+)", run.stdout)
    assert names(tmp_path / "samples") == {"test1.jpg", *named}


@pytest.mark.parametrize("words", [["--bbox_init", "two"], ["--box_init", "two"], ["--box_init=two"]])
def test_both_spellings_of_the_second_step(run, photo: Path, words: list[str]) -> None:
    """Two steps crop around the landmarks of the first: the region differs from that of one step."""
    assert run("-f", photo, "--dump_roi_box", "1")[0] == exit_codes.OK
    region = Path(f"{str(photo)[:-4]}_0.roibox")
    once = region.read_text()
    assert run("-f", photo, "--dump_roi_box", "1", *words)[0] == exit_codes.OK
    assert region.read_text() != once


def test_original_formats(run, photo: Path) -> None:
    run("-f", photo)
    stem = str(photo)[: -len(".jpg")]
    ply = Path(f"{stem}_0.ply").read_text().splitlines()
    assert ply[:2] == ["ply", "format ascii 1.0"] and ply[-1].startswith("3 ")
    assert np.loadtxt(f"{stem}_0.txt").shape == (3, 68)
    first = Path(f"{stem}_0.obj").read_text().splitlines()[1].split(" ")
    assert first[0] == "v" and len(first) == 7 and all(0 <= float(c) <= 1 for c in first[4:])


def test_boxes_beside_the_photo(run, photo: Path, tmp_path: Path) -> None:
    photo.with_name(photo.name + ".bbox").write_text("1\n7 180 120 350 330\n")
    run("-f", photo, "--dump_roi_box", "true")
    assert {name for name in names(tmp_path) if name.endswith(".roibox")} == {"a.jpg two_0.roibox"}


def test_dlib_finds_nothing_then_the_bbox_file(run, photo: Path, tmp_path: Path, monkeypatch) -> None:
    from ddfa.detect import Detections

    photo.with_name(photo.name + ".bbox").write_text("1\n7 180 120 350 330\n")
    monkeypatch.setattr("ddfa.detect.dlib.DlibDetector", lambda landmark_file: lambda image: Detections.none())
    assert run("-f", photo, dlib=True)[0] == exit_codes.OK
    assert "a.jpg two_0.ply" in names(tmp_path)


def test_without_dlib_yunet_is_used(run, photo: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    code, out, err = run("-f", photo, dlib=True)
    assert code == exit_codes.OK and f"Dump tp {str(photo)[:-4]}_1.ply" in out
    assert len(err) == 1 and "dlib is not installed" in err[0] and "YuNet is used instead" in err[0]


def test_photos_without_faces_and_bad_photos(run, photo: Path, tmp_path: Path) -> None:
    blank = tmp_path / "blank.png"
    write_image(blank, np.zeros((30, 30, 3), np.uint8))
    code, out, err = run("-f", blank)
    assert (code, out, err) == (exit_codes.NOTHING_FOUND, [f"No face found in {blank}"], [])
    code, out, err = run("-f", tmp_path / "missing.jpg", blank, photo)
    assert code == exit_codes.FAILED and f"Dump tp {str(photo)[:-4]}_0.ply" in out
    assert len(err) == 1 and err[0].startswith("main.py: ") and "missing.jpg" in err[0]


def test_notes_on_what_is_ignored(run, photo: Path) -> None:
    err = run("-f", photo, "-m", "gpu", "--show_flg", "true")[2]
    assert len(err) == 2 and "CPU" in err[0] and "no window" in err[1]


@pytest.mark.parametrize("words", [[], ["-f"], ["-f", "x.jpg", "--dump_ply", "maybe"], ["-f", "x.jpg", "--frobnicate"]])
def test_wrong_arguments(words: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as exit_code:
        v1_cli.main(words)
    assert exit_code.value.code == exit_codes.FAILED
    assert "main.py: error: " in capsys.readouterr().err


def test_main_py(root: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["main.py", "--help"])
    with pytest.raises(SystemExit) as exit_code:
        runpy.run_path(str(root / "main.py"), run_name="__main__")
    assert exit_code.value.code == 0
    assert "--bbox_init" in capsys.readouterr().out
