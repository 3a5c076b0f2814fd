import json
from pathlib import Path

import numpy as np
import pytest

from ddfa.cli import main
from ddfa.commands import exits
from ddfa.images import read_image

pytest.importorskip("av", reason="needs the extra `video`")


@pytest.fixture(scope="module")
def clip(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ddfa.video.frames import VideoWriter

    photo = read_image(root / "samples" / "astronaut.jpg")[:400, :400]
    path = tmp_path_factory.mktemp("clip") / "face.mp4"
    with VideoWriter(path, (400, 400)) as writer:
        for k in range(6):
            writer.write(np.roll(photo, 2 * k, axis=1), k / 25)
    return path


def test_video_and_data(clip: Path, tmp_path: Path, capfd) -> None:
    from ddfa.video.frames import open_video

    out, data = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    assert main(["video", str(clip), "-o", str(out), "--data", str(data), "--style", "landmarks"]) == exits.OK
    assert "6 frames, 1 tracks" in capfd.readouterr().out
    assert len(list(open_video(out))) == 6
    records = [json.loads(line) for line in data.read_text().splitlines()]
    assert [record["frame"] for record in records] == list(range(6))
    assert len(records[0]["landmarks68"]) == 204 and len(records[0]["blendshapes"]) == 52


def test_parquet(clip: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra `video`")
    data = tmp_path / "out.parquet"
    assert main(["video", str(clip), "--data", str(data), "--limit", "3", "--no-smooth"]) == exits.OK
    table = parquet.read_table(data)
    assert table.num_rows == 3 and table["time"].to_pylist() == pytest.approx([0, 0.04, 0.08])


def test_bad_words_and_no_face(clip: Path, tmp_path: Path, capfd) -> None:
    for words in ([], ["-o", "x.mp4", "--style", "glitter"], ["-o", str(tmp_path / "x.txt")], ["--data", "x.csv"]):
        assert main(["video", str(clip), *words]) == exits.FAILED
        assert len(capfd.readouterr().err.splitlines()) == 1
    from ddfa.images import write_image

    (tmp_path / "blank").mkdir()
    write_image(tmp_path / "blank" / "1.png", np.full((50, 60, 3), 90, np.uint8))
    words = [str(tmp_path / "blank"), "-o", str(tmp_path / "o.mp4")]
    assert main(["video", *words]) == exits.NOTHING_FOUND
