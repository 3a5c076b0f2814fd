import json
import socket
from pathlib import Path

import numpy as np
import pytest

from ddfa import exit_codes
from ddfa.cli import main
from ddfa.images import read_image

pytest.importorskip("av", reason="needs the extra `video`")


@pytest.fixture(scope="module")
def clip(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ddfa.video.io.frames import VideoWriter

    photo = read_image(root / "samples" / "astronaut.jpg")[:400, :400]
    path = tmp_path_factory.mktemp("clip") / "face.mp4"
    with VideoWriter(path, (400, 400)) as writer:
        for k in range(6):
            writer.write(np.roll(photo, 2 * k, axis=1), k / 25)
    return path


def test_video_and_data(clip: Path, tmp_path: Path, capfd) -> None:
    from ddfa.video.io.frames import open_video

    out, data = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    assert main(["video", str(clip), "-o", str(out), "--data", str(data), "--style", "landmarks"]) == exit_codes.OK
    assert "6 frames, 1 track, a face in 6 frames, 0 cuts" in capfd.readouterr().out
    assert len(list(open_video(out))) == 6
    records = [json.loads(line) for line in data.read_text().splitlines()]
    assert [record["frame"] for record in records] == list(range(6))
    assert len(records[0]["landmarks68"]) == 204 and len(records[0]["blendshapes"]) == 52


def test_parquet(clip: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra `video`")
    data = tmp_path / "out.parquet"
    assert main(["video", str(clip), "--data", str(data), "--limit", "3", "--no-smooth"]) == exit_codes.OK
    table = parquet.read_table(data)
    assert table.num_rows == 3 and table["time"].to_pylist() == pytest.approx([0, 0.04, 0.08])


def test_bad_words_and_no_face(clip: Path, tmp_path: Path, capfd) -> None:
    for words in ([], ["-o", "x.mp4", "--style", "glitter"], ["-o", str(tmp_path / "x.txt")], ["--data", "x.fbx"]):
        assert main(["video", str(clip), *words]) == exit_codes.FAILED
        assert len(capfd.readouterr().err.splitlines()) == 1
    from ddfa.images import write_image

    (tmp_path / "blank").mkdir()
    write_image(tmp_path / "blank" / "1.png", np.full((50, 60, 3), 90, np.uint8))
    words = [str(tmp_path / "blank"), "-o", str(tmp_path / "o.mp4")]
    assert main(["video", *words]) == exit_codes.NOTHING_FOUND


def glb_document(path: Path) -> tuple[dict, bytes]:
    content = path.read_bytes()
    size = int.from_bytes(content[12:16], "little")
    return json.loads(content[20 : 20 + size]), content[28 + size :]


def values_of(document: dict, binary: bytes, accessor: int) -> np.ndarray:
    known = document["accessors"][accessor]
    width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[known["type"]]
    start = document["bufferViews"][known["bufferView"]].get("byteOffset", 0) + known.get("byteOffset", 0)
    return np.frombuffer(binary, "<f4", known["count"] * width, start).reshape(known["count"], width)


def test_animated_head(clip: Path, tmp_path: Path) -> None:
    glb, data = tmp_path / "head.glb", tmp_path / "head.jsonl"
    assert main(["video", str(clip), "--glb", str(glb), "--data", str(data)]) == exit_codes.OK
    document, binary = glb_document(glb)
    records = [json.loads(line) for line in data.read_text().splitlines()]
    animation = document["animations"][0]
    found = {}
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        times = values_of(document, binary, sampler["input"])[:, 0]
        np.testing.assert_allclose(times, [record["time"] for record in records], atol=1e-5)
        found[channel["target"]["path"]] = values_of(document, binary, sampler["output"])
    weights = found["weights"].reshape(6, 52)
    np.testing.assert_allclose(weights, [record["blendshapes"] for record in records], atol=1e-4)
    x, y, z, w = found["rotation"].T
    np.testing.assert_allclose(2 * (x * z + y * w), [record["rotation"][2] for record in records], atol=1e-4)
    step = np.diff([record["translation"][0] for record in records]).sum()
    scale = np.median([record["scale"] for record in records])
    np.testing.assert_allclose(found["translation"][-1, 0], 1e-3 * step / scale, rtol=1e-3)
    assert 0.005 < found["translation"][-1, 0] < 0.05  # 10 px to the right, in metres
    assert "images" in document


def test_animated_head_of_nobody(clip: Path, tmp_path: Path, capfd) -> None:
    from ddfa.images import write_image

    (tmp_path / "blank").mkdir()
    write_image(tmp_path / "blank" / "1.png", np.full((50, 60, 3), 90, np.uint8))
    glb = tmp_path / "o.glb"
    assert main(["video", str(tmp_path / "blank"), "--glb", str(glb)]) == exit_codes.NOTHING_FOUND
    assert "1 frame, 0 tracks" in (told := capfd.readouterr().out) and "->" not in told
    assert main(["video", str(clip), "--glb", str(glb), "--track", "7", "--limit", "2"]) == exit_codes.FAILED
    assert "the video has 0" in capfd.readouterr().err
    for words in (["--glb", str(tmp_path / "o.obj")], ["--track", "1"], ["--glb", str(tmp_path / "none" / "o.glb")]):
        assert main(["video", str(clip), *words]) == exit_codes.FAILED
        assert len(capfd.readouterr().err.splitlines()) == 1
    assert not list(tmp_path.glob("*.glb"))


def test_motion_over_the_network(clip: Path, capfd) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        url = f"livelink://127.0.0.1:{receiver.getsockname()[1]}"
        assert main(["video", str(clip), "--to", url, "--calibrate", "0.1"]) == exit_codes.OK
        assert capfd.readouterr().out.endswith(f"-> {url}\n")
        sizes = [len(receiver.recv(2000)) for _ in range(6)]
    assert len(set(sizes[:3])) == len(set(sizes[3:])) == 1 and sizes[3] == sizes[0] + 1 + 4 * 61


def test_motion_files(clip: Path, tmp_path: Path, capfd) -> None:
    motion = tmp_path / "head.csv"
    assert main(["video", str(clip), "--data", str(motion), "--track", "0", "--no-regions"]) == exit_codes.OK
    assert capfd.readouterr().out.endswith(f"-> {motion}\n")
    assert len(motion.read_text().splitlines()) == 1 + 6
    for words in (["--to", "osc://x"], ["--calibrate", "1"], ["--data", str(motion), "--calibrate", "-1"]):
        assert main(["video", str(clip), *words]) == exit_codes.FAILED
        assert len(capfd.readouterr().err.splitlines()) == 1
