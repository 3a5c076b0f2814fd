"""Corpus mode: tables that hold what `ddfa align` finds, nothing lost, nothing twice."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from multiprocessing import active_children
from pathlib import Path

import cv2
import numpy as np
import pytest

pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra `batch`")
fsspec = pytest.importorskip("fsspec", reason="needs the extra `batch`")
import pyarrow as pa  # noqa: E402

from ddfa import FaceAligner, read_image  # noqa: E402
from ddfa.batch.decode import photos_with_faces  # noqa: E402
from ddfa.batch.local_engine import run_local  # noqa: E402
from ddfa.batch.shards import do_shard, open_job  # noqa: E402
from ddfa.batch.sources import LARGEST_PHOTO, find_photo, list_photos, read_photo  # noqa: E402
from ddfa.batch.stage import AlignStage, StageSettings  # noqa: E402
from ddfa.cli import main  # noqa: E402
from ddfa.errors import DataError, DDFAError, ImageError  # noqa: E402
from ddfa.jobs import sole_writer  # noqa: E402


@pytest.fixture(scope="module")
def photos(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photos of people, one without, and four that are none."""
    folder = tmp_path_factory.mktemp("corpus")
    for name in ("astronaut", "grace_hopper", "test1"):
        image = read_image(root / "samples" / f"{name}.jpg")
        small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{name}.jpg"), small[..., ::-1])
    cv2.imwrite(str(folder / "wall.png"), np.full((90, 120, 3), 99, np.uint8))
    (folder / "empty.jpg").touch()
    (folder / "words.jpg").write_text("no picture")
    (folder / "cut.jpg").write_bytes((folder / "astronaut.jpg").read_bytes()[:2000])
    (folder / "notes.txt").write_text("not asked for")
    return folder


@pytest.fixture(scope="module")
def stage() -> AlignStage:
    return AlignStage(StageSettings())


def do_all(stage: AlignStage, inputs: list[str], folder: Path, size: int = 3) -> pa.Table:
    job = open_job(inputs, folder, StageSettings(), size)
    for shard in job.missing():
        do_shard(stage, job.photos_of(shard), job.path(shard))
    return pa.concat_tables([pq.read_table(job.path(shard)) for shard in range(job.shards)])


def test_rows_hold_what_the_aligner_finds(photos: Path, stage: AlignStage, tmp_path: Path) -> None:
    rows = do_all(stage, [str(photos)], tmp_path / "table").to_pylist()
    names = [Path(row["source"]).name for row in rows]
    assert names == [
        "astronaut.jpg", "cut.jpg", "empty.jpg", "grace_hopper.jpg", "test1.jpg", "test1.jpg", "wall.png",
        "words.jpg",
    ]  # fmt: skip
    failed = {name: row["error"] for name, row in zip(names, rows, strict=True) if row["error"]}
    assert sorted(failed) == ["cut.jpg", "empty.jpg", "words.jpg"] and "0 bytes" in failed["empty.jpg"]
    wall = rows[names.index("wall.png")]
    assert wall["faces"] == 0 and wall["face"] is None and wall["error"] is None and wall["width"] == 120
    aligner = FaceAligner(threads=1)
    for name in ("astronaut.jpg", "test1.jpg"):
        faces = aligner(read_image(photos / name))
        mine = [row for row, other in zip(rows, names, strict=True) if other == name]
        assert [row["face"] for row in mine] == list(range(len(faces)))
        np.testing.assert_allclose([row["params"] for row in mine], faces.params, atol=1e-4)
        np.testing.assert_allclose([row["euler_deg"] for row in mine], faces.euler_deg, atol=1e-2)
        found = np.reshape([row["landmarks68"] for row in mine], (-1, 68, 3))
        np.testing.assert_allclose(found, faces.landmarks68, atol=1e-2)
        assert all(0.4 < row["agreement"] <= 1 for row in mine)


def test_rows_come_back_as_faces(photos: Path, stage: AlignStage, tmp_path: Path) -> None:
    do_all(stage, [str(photos)], tmp_path / "table")
    found = {Path(name).name: faces for name, faces, _ in photos_with_faces(tmp_path / "table")}
    assert {name: len(faces) for name, faces in found.items()} == {
        "astronaut.jpg": 1, "grace_hopper.jpg": 1, "test1.jpg": 2,
    }  # fmt: skip
    faces = FaceAligner(threads=1)(read_image(photos / "test1.jpg"))
    np.testing.assert_allclose(found["test1.jpg"].vertices, faces.vertices, atol=1e-2)


def test_tars_tables_patterns_and_urls_give_the_same(photos: Path, tmp_path: Path) -> None:
    tar, table, paths = tmp_path / "a.tar", tmp_path / "a.parquet", tmp_path / "b.parquet"
    content = {path.name: path.read_bytes() for path in sorted(photos.glob("*.jpg"))}
    with tarfile.open(tar, "w") as archive:
        for path in sorted(photos.glob("*.jpg")):
            archive.add(path, path.name)
    pq.write_table(pa.table({"bytes": list(content.values())}), table, row_group_size=2)
    pq.write_table(pa.table({"path": [str(photos / name) for name in content]}), paths)
    memory = fsspec.filesystem("memory")
    for name, data in content.items():
        memory.pipe_file(f"/corpus/{name}", data)
    memory.pipe_file("/tars/a.tar", tar.read_bytes())
    for given in (str(photos / "*.jpg"), str(tar), str(paths), "memory://corpus", "memory://tars/a.tar"):
        listed = list_photos([given])
        assert [Path(photo.name.replace("::", "/")).name for photo in listed] == list(content)
        assert [read_photo(photo) for photo in listed] == list(content.values())
        assert [read_photo(find_photo(photo.name)) for photo in listed] == list(content.values())
    listed = list_photos([str(table)])
    assert [photo.name for photo in listed] == [f"{table}::{row}" for row in range(len(content))]
    assert [read_photo(photo) for photo in listed if content[list(content)[photo.start]]] == [
        data for data in content.values() if data
    ]
    empty = next(photo for photo in listed if not content[list(content)[photo.start]])
    with pytest.raises(ImageError, match="contains no image"):
        read_photo(empty)


def test_every_member_is_a_row_whatever_its_name_and_kind(photos: Path, stage: AlignStage, tmp_path: Path) -> None:
    corpus, content = tmp_path / "corpus", (photos / "wall.png").read_bytes()
    corpus.mkdir()
    for name in (
        b"caf\xe9.png",
        b"a::b.png",
        b"x.tar::y.png",
        b"[x].png",
        b"s*.png",
        b"new\nline.png",
        "日本.png".encode(),
    ):
        (corpus / os.fsdecode(name)).write_bytes(content)
    os.mkfifo(corpus / "fifo.png")
    os.mkfifo(corpus / "fifo.tar")
    (corpus / "lost.png").symlink_to("nowhere")
    (corpus / "zip.tar").write_bytes(b"\x1f\x8b" + b"x" * 2000)
    (corpus / "bad.parquet").write_bytes(b"no table")
    (corpus / "huge.png").touch()
    os.truncate(corpus / "huge.png", LARGEST_PHOTO + 1)
    with tarfile.open(corpus / os.fsdecode(b"t\xe9::.tar"), "w") as archive:
        for name in (b"in\xe9.png", b"m::n.png"):
            archive.add(photos / "wall.png", os.fsdecode(name))
        archive.add(corpus / "lost.png", "lost.png")
    rows = do_all(stage, [str(corpus)], tmp_path / "table").to_pylist()
    outcome = {row["source"].removeprefix(f"{corpus}/"): row["error"] for row in rows}
    good = ["[x].png", "a::b.png", "caf\\xe9.png", "new\nline.png", "s*.png", "x.tar::y.png", "日本.png"]
    good += ["t\\xe9::.tar::in\\xe9.png", "t\\xe9::.tar::m::n.png"]
    failed = {
        "fifo.png": "not a regular",
        "fifo.tar": "not a regular",
        "lost.png": "No such file",
        "huge.png": "reduce",
    }
    failed |= {"zip.tar": "uncompressed tar", "bad.parquet": "Parquet", "t\\xe9::.tar::lost.png": "link to nowhere"}
    assert {name for name, error in outcome.items() if not error} == set(good)
    assert all(text in outcome[name] for name, text in failed.items()) and len(rows) == len(good) + len(failed)
    for name in good:
        assert read_photo(find_photo(f"{corpus}/{name}")) == content
    paths = tmp_path / "paths.parquet"
    pq.write_table(pa.table({"path": [f"{corpus}/{name}" for name in good] + [None]}), paths)
    *again, nothing = list_photos([str(paths)])
    assert [read_photo(photo) for photo in again] == [content] * len(good) and "contains no path" in nothing.error
    for name in (b"caf\xe9.png", b"[x].png", b"s*.png", b"a::b.png"):
        assert len(list_photos([str(corpus / os.fsdecode(name))])) == 1


def test_each_row_group_of_a_table_is_read_once(tmp_path: Path, monkeypatch) -> None:
    table, content = tmp_path / "a.parquet", [bytes([number]) * 9 for number in range(50)]
    pq.write_table(pa.table({"jpg": content}), table, row_group_size=20)
    photos, read = list_photos([str(table)]), []
    row_group = pq.ParquetFile.read_row_group

    def counted(self, group: int, columns: list[str]) -> pa.Table:
        read.append(group)
        return row_group(self, group, columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    assert [read_photo(photo) for photo in photos] == content and read == [0, 1, 2]


@pytest.mark.parametrize("wrong", ["nowhere", "*.none", "empty", "bad.tar", "bad.parquet", "plain.parquet"])
def test_bad_inputs_are_one_clear_error(tmp_path: Path, capsys, wrong: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.tar").write_bytes(b"no tar" * 200)
    (tmp_path / "bad.parquet").write_bytes(b"no table")
    pq.write_table(pa.table({"number": [1]}), tmp_path / "plain.parquet")
    assert main(["batch", str(tmp_path / wrong), "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and wrong.strip("*") in error and not (tmp_path / "out").exists()


def test_other_inputs_do_not_go_into_a_begun_table(photos: Path, tmp_path: Path) -> None:
    open_job([str(photos)], tmp_path / "table", StageSettings(), 3)
    assert open_job([str(photos)], tmp_path / "table", StageSettings(), 3).missing() == [0, 1, 2]
    with pytest.raises(DataError, match="inputs, photos"):
        open_job([str(photos / "*.jpg")], tmp_path / "table", StageSettings(), 3)
    with pytest.raises(DataError, match=r"\(settings\)"):
        open_job([str(photos)], tmp_path / "table", StageSettings(refine=True), 3)
    with pytest.raises(DataError, match="holds other files"):
        open_job([str(photos)], photos, StageSettings(), 3)


def copied(photos: Path, corpus: Path) -> Path:
    """Eight copies of each photo: some shards of work."""
    corpus.mkdir()
    for copy in range(8):
        for path in photos.glob("*.*g"):
            shutil.copy(path, corpus / f"{copy}_{path.name}")
    return corpus


def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(photos: Path, stage: AlignStage, tmp_path: Path) -> None:
    corpus = copied(photos, tmp_path / "corpus")
    wanted = do_all(stage, [str(corpus)], tmp_path / "undisturbed", size=7)
    words = [sys.executable, "-m", "ddfa.cli", "batch", str(corpus), "-o", str(tmp_path / "out"), "--shard", "7"]
    words += ["--workers", "1"]
    process = subprocess.Popen(words, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    parts = tmp_path / "out"
    try:
        until = time.monotonic() + 60
        while not list(parts.glob("part-*.parquet")) and time.monotonic() < until:
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # driver and worker
        process.wait()
    done = {path: path.read_bytes() for path in parts.glob("part-*.parquet")}
    assert 0 < len(done) < 8
    assert main([*words[3:]]) == 0
    assert all(path.read_bytes() == content for path, content in done.items())
    files = sorted(parts.glob("part-*.parquet"))
    assert pa.concat_tables([pq.read_table(path) for path in files]).equals(wanted)
    assert sorted(path.name for path in parts.iterdir() if not path.name.startswith(".")) == [
        "_manifest.json", *(path.name for path in files),
    ]  # fmt: skip


def test_a_folder_is_a_table_also_if_an_earlier_version_began_it(
    photos: Path, stage: AlignStage, tmp_path: Path, capsys
) -> None:
    wanted = do_all(stage, [str(photos)], tmp_path, size=2)
    assert pq.read_table(tmp_path).cast(wanted.schema).equals(wanted)
    (tmp_path / "_manifest.json").rename(tmp_path / "manifest.json")
    assert main(["batch", str(photos), "-o", str(tmp_path), "--shard", "2", "--workers", "1"]) == 0
    assert "(4 shards already done)" in capsys.readouterr().out
    assert pq.read_table(tmp_path).num_rows == wanted.num_rows


def test_damaged_parts_are_done_again_and_stale_files_removed(
    photos: Path, stage: AlignStage, tmp_path: Path, capsys
) -> None:
    table, stale = tmp_path / "table", f".{'a0' * 8}.tmp"
    table.mkdir()
    (table / f"{stale}.json").write_text("{")  # killed while it wrote the manifest
    wanted = do_all(stage, [str(photos)], table, size=2)
    content = (table / "part-000000.parquet").read_bytes()
    (table / "part-000000.parquet").write_bytes(content[:-20])
    (table / "part-000001.parquet").write_bytes(b"")
    (table / f"{stale}.parquet").write_bytes(content[:99])
    assert main(["batch", str(photos), "-o", str(table), "--shard", "2", "--workers", "1"]) == 0
    assert "(2 shards already done)" in capsys.readouterr().out
    files = sorted(table.iterdir())
    assert [path.name for path in files] == ["_manifest.json", *(f"part-{part:06d}.parquet" for part in range(4))]
    assert pa.concat_tables([pq.read_table(path) for path in files[1:]]).equals(wanted)


def test_a_second_driver_is_told_who_writes(photos: Path, tmp_path: Path, capsys) -> None:
    words = ["batch", str(photos), "-o", str(tmp_path / "table"), "--workers", "1"]
    open_job([str(photos)], tmp_path / "table", StageSettings(), 1000)
    with sole_writer(tmp_path / "table"):
        assert main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"is being written by process {os.getpid()} on " in error


@pytest.mark.parametrize("engine", ["local", "ray"])  # a killed local driver: see above
def test_runs_that_are_stopped_or_killed_at_random_moments_resume(
    photos: Path, stage: AlignStage, tmp_path: Path, engine: str
) -> None:
    """One line for signals that can be handled, and nothing left; see `benchmarks/kill.py` for more kills."""
    pytest.importorskip(engine if engine == "ray" else "pyarrow", reason="needs the extra `ray`")
    corpus, out, choice = copied(photos, tmp_path / "corpus"), tmp_path / "out", random.Random(1)
    wanted = do_all(stage, [str(corpus)], tmp_path / "undisturbed", size=4)
    words = [sys.executable, "-m", "ddfa.cli", "batch", str(corpus), "-o", str(out), "--shard", "4"]
    words += ["--workers", "2", "--engine", engine]
    ends = {signal.SIGTERM: (143, "terminated")}
    ends |= {signal.SIGKILL: (-9, "")} if engine == "ray" else {signal.SIGINT: (130, "interrupted")}
    for kind, (code, text) in ends.items():
        parts = len(list(out.glob("part-*")))
        process = subprocess.Popen(
            words, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        until = time.monotonic() + 60
        while len(list(out.glob("part-*"))) == parts and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(choice.uniform(0, 0.3))
        everyone = kind == signal.SIGINT  # as Ctrl-C in a terminal
        (os.killpg if everyone else os.kill)(process.pid, kind)
        _, error = process.communicate(timeout=60)  # all its processes have closed their end of the pipe
        if process.returncode == 0:  # it was faster
            break
        assert process.returncode == code
        if text:
            lines = [line for line in error.splitlines() if not line.startswith("[")]  # those of Ray's own log
            assert lines == [f"ddfa batch: {text}"]
            assert all(path.suffix in (".json", ".parquet") and path.name[0] != "." for path in out.iterdir())
    assert main([*words[3:-1], "local"]) == 0  # the engines can go on with each other's tables
    files = sorted(out.iterdir())
    assert pa.concat_tables([pq.read_table(path) for path in files[1:]]).equals(wanted)


def test_a_killed_worker_ends_the_run_which_goes_on_when_given_again(
    photos: Path, stage: AlignStage, tmp_path: Path, capsys
) -> None:
    corpus = copied(photos, tmp_path / "corpus")
    wanted = do_all(stage, [str(corpus)], tmp_path / "undisturbed", size=7)
    job = open_job([str(corpus)], tmp_path / "out", StageSettings(), 7)
    run = run_local(job, job.missing(), 2)
    next(run)
    os.kill(active_children()[0].pid, signal.SIGKILL)
    with pytest.raises(DDFAError, match=r"a worker process died, .*: give the same command again to resume"):
        list(run)
    before = job.shards - len(job.missing())
    assert 0 < before < job.shards and not active_children()
    assert main(["batch", str(corpus), "-o", str(job.folder), "--shard", "7", "--workers", "1"]) == 0
    assert f"({before} shard" in capsys.readouterr().out
    done = [pq.read_table(job.path(shard)) for shard in range(job.shards)]
    assert pa.concat_tables(done).equals(wanted)


def test_decoded_files_are_those_of_align(photos: Path, tmp_path: Path, capsys) -> None:
    one = photos / "astronaut.jpg"
    assert main(["batch", str(one), "-o", str(tmp_path / "table"), "--workers", "1"]) == 0
    assert "1 photo, 1 face, 0 failed" in capsys.readouterr().out
    words = ["decode", str(tmp_path / "table"), "-o", str(tmp_path / "decoded"), "--save", "json,obj,crop,overlay"]
    assert main(words) == 0
    assert main(["align", str(one), "-o", str(tmp_path / "aligned"), "--save", "json"]) == 0
    ours, theirs = (
        json.loads(path.read_text())
        for path in (tmp_path / "decoded" / "000000_0.json", tmp_path / "aligned" / "astronaut_0.json")
    )
    assert ours.keys() == theirs.keys() and ours["model"] == theirs["model"]
    np.testing.assert_allclose(ours["landmarks68"], theirs["landmarks68"], atol=1e-2)
    assert {path.name for path in (tmp_path / "decoded").iterdir()} == {
        "000000_0.json", "000000_0.obj", "000000_0_crop.png", "000000_overlay.jpg",
    }  # fmt: skip
    assert main([*words, "--source", "nobody"]) == 1
    assert main(["decode", str(one), "-o", str(tmp_path / "x")]) == 2
    assert main(["decode", str(tmp_path / "table"), "--save", "ply,clay"]) == 2
    assert "does not know 'clay': choose from ply,obj" in capsys.readouterr().err
    pq.write_table(pa.table({"number": [1]}), tmp_path / "plain.parquet")
    capsys.readouterr()
    assert main(["decode", str(tmp_path / "plain.parquet"), "-o", str(tmp_path / "x")]) == 2
    assert "no table of `ddfa batch`" in capsys.readouterr().err


def test_ray_does_what_is_missing(photos: Path, stage: AlignStage, tmp_path: Path, capsys) -> None:
    pytest.importorskip("ray", reason="needs the extra `ray`")
    wanted = do_all(stage, [str(photos)], tmp_path / "wanted", size=4)
    job = open_job([str(photos)], tmp_path / "out", StageSettings(), 4)
    do_shard(stage, job.photos_of(0), job.path(0))
    words = ["batch", str(photos), "-o", str(tmp_path / "out"), "--engine", "ray", "--workers", "1", "--shard", "4"]
    assert main(words) == 0
    assert "3 photos, 2 faces, 1 failed (1 shard already done)" in capsys.readouterr().out
    files = sorted((tmp_path / "out").glob("part-*.parquet"))
    assert pa.concat_tables([pq.read_table(path) for path in files]).equals(wanted)
