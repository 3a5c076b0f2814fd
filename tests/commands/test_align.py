"""`ddfa align` from arguments to files and exit codes, good input and bad."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ddfa import exit_codes
from ddfa.cli import main
from ddfa.export.face_files import output_names
from ddfa.images import read_image, write_image

ALL_KINDS = "ply,obj,mat,txt,json,overlay,crop"
MAP_KINDS = "depth,depth8,depth32,normals,pncc,uvmap,regions,visibility,paf,scene_depth,scene_depth32,scene_pncc"


@pytest.fixture
def run(toy_bundle, tmp_path: Path, capfd):
    """Run `ddfa align` with the toy bundle into tmp_path/out; returns the exit code, stdout and stderr lines."""

    def run(*words: object) -> tuple[int, list[str], list[str]]:
        arguments = [str(word) for word in words]
        if "-o" not in arguments:
            arguments += ["-o", str(tmp_path / "out")]
        code = main(["align", *arguments, "--model", str(toy_bundle.folder), "--threads", "1"])
        out, err = capfd.readouterr()
        return code, out.splitlines(), err.splitlines()

    return run


@pytest.fixture
def files(tmp_path: Path):
    return lambda: sorted(path.name for path in (tmp_path / "out").iterdir())


@pytest.fixture(scope="session")
def samples(root: Path) -> Path:
    return root / "samples"


@pytest.fixture
def blank(tmp_path: Path) -> Path:
    path = tmp_path / "blank é.png"
    write_image(path, np.full((50, 60, 3), 200, np.uint8))
    return path


def test_one_photo(run, files, samples: Path, tmp_path: Path) -> None:
    photo = samples / "test1.jpg"
    code, out, err = run(photo, "--save", ALL_KINDS)
    assert (code, err) == (exit_codes.OK, [])
    assert len(out) == 1 and out[0].startswith(f"{photo}: 2 faces, ") and " ms, 13 files: " in out[0]
    suffixes = [".json", ".mat", ".obj", ".ply", ".txt", "_crop.png"]
    assert files() == sorted([f"test1_{i}{s}" for i in (0, 1) for s in suffixes] + ["test1_overlay.jpg"])
    record = json.loads((tmp_path / "out" / "test1_1.json").read_text())
    assert record["face"] == {"index": 1, "count": 2} and record["score"] > 0.8
    assert read_image(tmp_path / "out" / "test1_0_crop.png").shape == (120, 120, 3)


def test_default_files(run, files, samples: Path) -> None:
    assert run(samples / "astronaut.jpg")[0] == exit_codes.OK
    assert files() == [*(f"astronaut_0.{s}" for s in ("json", "mat", "obj", "ply", "txt")), "astronaut_overlay.jpg"]


def test_styles_of_the_overlay(run, samples: Path, tmp_path: Path) -> None:
    pictures = []
    for words in ([], ["--style", "mesh+landmarks+pose"], ["--style", "Depth"]):
        assert run(samples / "astronaut.jpg", "--save", "overlay", *words)[0] == exit_codes.OK
        pictures.append(read_image(tmp_path / "out" / "astronaut_overlay.jpg"))
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert run(samples / "astronaut.jpg", "--save", "sheet")[0] == exit_codes.OK
    assert (tmp_path / "out" / "astronaut_sheet.jpg").is_file()
    assert np.abs(pictures[0].astype(int) - pictures[2]).max() > 100


def test_neutral_meshes(run, samples: Path, tmp_path: Path) -> None:
    """The mesh files change, what was measured in the photo does not."""
    found = {}
    for words in ((), ("--pose", "neutral"), ("--expression", "neutral")):
        run(samples / "astronaut.jpg", "--save", "ply,obj,mat,txt,json,crop", *words)
        found[words] = {path.suffix: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    for words in list(found)[1:]:
        changed = {suffix for suffix in found[()] if found[words][suffix] != found[()][suffix]}
        assert changed == {".ply", ".obj", ".mat"}


@pytest.fixture(scope="session")
def maps_of_samples(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every map of a photo with two faces, by the shipped model."""
    folder = tmp_path_factory.mktemp("maps")
    words = [str(samples / "test1.jpg"), "--save", f"json,{MAP_KINDS}", "-o", str(folder), "--threads", "1"]
    assert main(["align", *words]) == exit_codes.OK
    return folder


def test_every_map_is_written_as_large_as_the_photo(maps_of_samples: Path, samples: Path) -> None:
    size = read_image(samples / "test1.jpg").shape[:2]
    colours, depths = ("normals", "pncc", "regions"), ("depth", "depth8")
    per_face = [*(f"{kind}.png" for kind in (*colours, *depths, "uvmap", "paf")), "depth.npy", "visibility.npy"]
    expected = [f"test1_{i}_{name}" for i in (0, 1) for name in per_face]
    expected += ["test1_0.json", "test1_1.json"]
    expected += [f"test1_{name}" for name in ("depth.png", "depth.npy", "pncc.png")]
    assert sorted(path.name for path in maps_of_samples.iterdir()) == sorted(expected)
    for path in maps_of_samples.glob("*.png"):
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        kind = path.stem.rsplit("_", 1)[1]
        assert pixels.dtype == (np.uint16 if kind in ("depth", "uvmap") else np.uint8), path.name
        assert pixels.shape[:2] == ((192, 192) if kind == "paf" else size), path.name
        assert pixels.shape[2:] == (() if kind in depths else (3,)), path.name
        assert pixels.any() and (kind == "paf" or not pixels.all(axis=-1).all()), path.name
    for index in (0, 1):
        shown = np.load(maps_of_samples / f"test1_{index}_visibility.npy")
        assert shown.dtype == bool and 0.1 < shown.mean() < 0.9


def test_depth_as_picture_is_depth_as_numbers(maps_of_samples: Path) -> None:
    for index in (0, 1):
        low, high = json.loads((maps_of_samples / f"test1_{index}.json").read_text())["depth_range"]
        z = np.load(maps_of_samples / f"test1_{index}_depth.npy")
        stored = cv2.imread(str(maps_of_samples / f"test1_{index}_depth.png"), cv2.IMREAD_UNCHANGED)
        seen = stored > 0
        np.testing.assert_array_equal(seen, np.isfinite(z))
        decoded = low + (stored[seen] - 1.0) / 65534 * (high - low)
        np.testing.assert_allclose(decoded, z[seen], atol=(high - low) / 60000)


def test_a_map_the_head_model_cannot_give(run, files, samples: Path) -> None:
    code, _, err = run(samples / "astronaut.jpg", "--save", "uvmap,txt")
    assert code == exit_codes.FAILED and len(err) == 1 and "no texture coordinates" in err[0]


def test_refine_changes_the_region(run, samples: Path, tmp_path: Path) -> None:
    rois = []
    for words in ([], ["--refine"]):
        run(samples / "astronaut.jpg", "--save", "json", *words)
        rois.append(json.loads((tmp_path / "out" / "astronaut_0.json").read_text())["roi"])
    assert rois[0] != rois[1]


def test_bad_photos_do_not_stop_the_good(run, files, samples: Path, blank: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes((samples / "astronaut.jpg").read_bytes()[:5000])
    (tmp_path / "empty.jpg").touch()
    bad = [tmp_path / "broken.jpg", tmp_path / "empty.jpg", tmp_path / "missing.jpg"]
    code, out, err = run(*bad, blank, samples / "astronaut.jpg", "--save", "txt")
    assert code == exit_codes.FAILED
    assert [line.split(": ")[1].split(",")[0] for line in out[:2]] == ["0 faces", "1 face"]
    assert out[2].startswith("5 photos, 1 face, 3 failed")
    assert len(err) == 3 and all(line.startswith("ddfa align: ") for line in err)
    assert all(str(path) in line for path, line in zip(bad, err, strict=True))
    assert files() == ["astronaut_0.txt"]


def test_an_unforeseen_error_is_one_photos_error(run, files, samples: Path, monkeypatch) -> None:
    from ddfa.align import FaceAligner

    def fail(aligner, image, *others):
        if image.shape[0] == 512:
            raise MemoryError("too\nlarge")
        return locate(aligner, image, *others)

    locate = FaceAligner.locate
    monkeypatch.setattr(FaceAligner, "locate", fail)
    code, _, err = run(samples / "astronaut.jpg", samples / "grace_hopper.jpg", "--save", "txt")
    assert code == exit_codes.FAILED and len(err) == 1 and "unexpected MemoryError: too large" in err[0]
    assert files() == ["grace_hopper_0.txt"]


def test_no_face_is_no_failure(run, files, blank: Path, samples: Path) -> None:
    code, out, err = run(blank)
    assert (code, err, files()) == (exit_codes.NOTHING_FOUND, [], [])
    assert out[0].startswith(f"{blank}: 0 faces, ")
    assert run(blank, samples / "astronaut.jpg")[0] == exit_codes.OK


def test_one_pixel_and_a_panorama(run, tmp_path: Path) -> None:
    write_image(tmp_path / "one.png", np.zeros((1, 1, 3), np.uint8))
    write_image(tmp_path / "wide.png", np.zeros((40, 20000, 3), np.uint8))
    code, out, err = run(tmp_path / "one.png", tmp_path / "wide.png")
    assert (code, err) == (exit_codes.NOTHING_FOUND, []) and len(out) == 3


def test_unicode_and_spaces(run, files, samples: Path, tmp_path: Path) -> None:
    photo = tmp_path / "my photos" / "Grace 写真 é.jpg"
    photo.parent.mkdir()
    photo.write_bytes((samples / "grace_hopper.jpg").read_bytes())
    assert run(photo, "--save", "json,overlay")[0] == exit_codes.OK
    assert files() == ["Grace 写真 é_0.json", "Grace 写真 é_overlay.jpg"]


def test_photos_of_one_name_do_not_overwrite_each_other(run, files, samples: Path, tmp_path: Path) -> None:
    other = tmp_path / "astronaut.png"
    write_image(other, read_image(samples / "astronaut.jpg"))
    run(samples / "astronaut.jpg", other, "--save", "txt")
    assert files() == ["astronaut-2_0.txt", "astronaut_0.txt"]


def test_output_names_are_unique_whatever_the_photos_are_called() -> None:
    photos = [Path(name) for name in ("a/x.jpg", "b/x.jpg", "x-2.jpg", "c/x.jpg", "X.png", "x.y.jpg")]
    assert output_names(photos) == ["x", "x-3", "x-2", "x-4", "X-5", "x.y"]


def test_boxes_from_files(run, samples: Path, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.json"
    boxes.write_text(
        json.dumps({"astronaut.jpg": [[178, 62, 271, 176], [10, 10, 60, 60, 0.25]], "grace_hopper.jpg": []})
    )
    code, out, _ = run(samples / "astronaut.jpg", samples / "grace_hopper.jpg", "--boxes", boxes, "--save", "json")
    assert code == exit_codes.OK
    assert ": 2 faces" in out[0] and ": 0 faces" in out[1]
    record = json.loads((tmp_path / "out" / "astronaut_1.json").read_text())
    assert (record["box"], record["score"]) == ([10, 10, 60, 60], 0.25)


@pytest.mark.parametrize("box", ["nan 1 2 3", "5 5 5 5", "9 9 1 1", "90000 5 90050 50", "-1e9 -1e9 1e9 1e9", "a b c d"])
def test_bad_boxes(run, samples: Path, tmp_path: Path, box: str) -> None:
    (tmp_path / "b.txt").write_text(box)
    code, out, err = run(samples / "astronaut.jpg", "--boxes", tmp_path / "b.txt")
    assert (code, out) == (exit_codes.FAILED, []) and len(err) == 1


def test_boxes_of_one_photo_for_several(run, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("1 1 50 50")
    code, _, err = run(samples / "astronaut.jpg", samples / "grace_hopper.jpg", "--boxes", tmp_path / "b.txt")
    assert code == exit_codes.FAILED and "one photo, not 2" in err[0]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--save", "stl"], "choose from ply,obj"),
        (["--save", ","], "choose from ply,obj"),
        (["--texture-size", "32"], "choose 64 to 4096"),
        (["--style", "mesh+ink"], "join some of landmarks, mesh"),
        (["--save", "depth,depth64"], "does not know 'depth64': choose from"),
        (["--detector", "retina"], "choose yunet"),
        (["--detector", "dlib:/missing.dat"], "dlib"),
        (["--boxes", "/missing.bbox"], "does not exist"),
    ],
)
def test_bad_options(run, samples: Path, tmp_path: Path, words: list[str], reason: str) -> None:
    code, out, err = run(samples / "astronaut.jpg", *words)
    assert (code, out) == (exit_codes.FAILED, []) and len(err) == 1 and reason in err[0]
    assert not (tmp_path / "out").exists()


def test_no_photo(run) -> None:
    code, _, err = run()
    assert code == exit_codes.FAILED and "no photo given" in err[0]


def test_output_that_cannot_be(run, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "sub", "/proc/out"):
        code, out, err = run(samples / "astronaut.jpg", "-o", place)
        assert (code, out) == (exit_codes.FAILED, []) and len(err) == 1 and "choose another" in err[0]


def test_output_that_fails_half_way(run, files, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "astronaut_0.obj").mkdir(parents=True)
    code, out, err = run(samples / "astronaut.jpg", samples / "grace_hopper.jpg", "--save", "obj")
    assert code == exit_codes.FAILED and len(err) == 1 and "astronaut_0.obj" in err[0]
    assert "grace_hopper.jpg: 1 face" in out[0]
    assert files() == ["astronaut_0.obj", "grace_hopper_0.obj"]


def test_tampered_weights(run, samples: Path, toy_bundle, tmp_path: Path, capfd) -> None:
    bundle = shutil.copytree(toy_bundle.folder, tmp_path / "bundle")
    (bundle / "model.onnx").write_bytes(b"x" + (bundle / "model.onnx").read_bytes()[1:])
    assert main(["align", str(samples / "astronaut.jpg"), "--model", str(bundle)]) == exit_codes.FAILED
    assert "SHA-256 differs" in capfd.readouterr().err


def test_a_reader_that_stops_early_gets_no_traceback(samples: Path, toy_bundle, tmp_path: Path) -> None:
    words = ["align", samples / "astronaut.jpg", "--model", toy_bundle.folder, "-o", tmp_path, "--save", "txt"]
    command = [sys.executable, "-m", "ddfa.cli", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == exit_codes.FAILED


def test_folders_and_patterns(run, files, samples: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "more" / ".hidden").mkdir(parents=True)
    for name in ("b.jpg", "a.JPG", "more/c.jpg", "more/.hidden/d.jpg"):
        shutil.copy(samples / "grace_hopper.jpg", folder / name)
    (folder / "notes.txt").write_text("no photo")
    out = folder / "out"
    code, lines, err = run(folder, "-o", out, "--save", "txt,overlay")
    assert (code, err) == (exit_codes.OK, []) and lines[-1].startswith("3 photos, ")
    expected = [str(folder / name) for name in ("a.JPG", "b.jpg", "more/c.jpg")]
    assert [line.split(":")[0] for line in lines[:-1]] == expected
    again = run(folder, "-o", out, "--save", "txt,overlay")[1]
    assert again[-1].startswith("3 photos, ")  # overlays of the first run are no input
    assert len(run(folder / "**" / "*.jpg", folder / "b.jpg", "-o", out, "--save", "txt")[1]) == 3
    for nothing in (tmp_path / "*.jpg", folder / "more" / ".hidden" / "x*"):
        code, lines, err = run(nothing)
        assert (code, lines) == (exit_codes.FAILED, []) and "matches" in err[0]
    (tmp_path / "empty").mkdir()
    assert "contains no photos" in run(tmp_path / "empty")[2][0]


def test_json_lines(run, files, samples: Path, blank: Path, tmp_path: Path) -> None:
    code, out, err = run(samples / "test1.jpg", blank, "--json", "--fov", "60")
    assert (code, err) == (exit_codes.OK, []) and not (tmp_path / "out").exists()
    records = [json.loads(line) for line in out]
    assert [record["face"] for record in records] == [{"index": 0, "count": 2}, {"index": 1, "count": 2}]
    assert {record["format"] for record in records} == {"openddfa.face"} and records[0]["camera"]["fx"] > 0
    code, out, err = run(samples / "test1.jpg", "--json", "--save", "json")
    assert len(out) == 2 and files() == ["test1_0.json", "test1_1.json"]
    assert json.loads((tmp_path / "out" / "test1_1.json").read_text()) == json.loads(out[1])


def test_quiet_prints_errors_only(run, files, samples: Path, tmp_path: Path) -> None:
    code, out, err = run(samples / "test1.jpg", tmp_path / "missing.jpg", "--quiet", "--save", "txt")
    assert (code, out) == (exit_codes.FAILED, []) and len(err) == 1 and "does not exist" in err[0]
    assert files() == ["test1_0.txt", "test1_1.txt"]
