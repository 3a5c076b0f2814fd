import json
import time

import numpy as np
import pytest

from ddfa.bench.speed import decode_like_original
from ddfa.bench.timing import side_by_side
from ddfa.cli import main
from ddfa.head.open import load_open_head

from ..face_factory import place_faces


def test_what_takes_longer_is_slower():
    works = {"short": (1, lambda: time.sleep(0.001)), "long": (2, lambda: time.sleep(0.02))}
    short, long = side_by_side(works, 3, least_s=0.002)
    assert short.speedup_over(long) > 1.5
    assert long.milliseconds >= 10 and long.per_second <= 100


def test_the_published_decode_gives_the_same_mesh():
    faces = place_faces(load_open_head(), [(0, 0, 0), (40, 10, -5)])
    pose, identity, expression = faces.layout.split(faces.params)
    meshes = decode_like_original(faces, pose, identity, expression)()
    np.testing.assert_allclose(np.stack(meshes).transpose(0, 2, 1), faces.vertices, atol=1e-3)


def test_networks_and_stages_side_by_side(root, tmp_path, capsys):
    words = ["bench", "speed", "default", "default-flip", "--photos", str(root / "samples"), "--rounds", "1"]
    assert main([*words, "--batches", "1", "2", "--cores", "1", "--output", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "results.json").read_text())
    assert [row["model"] for row in found["results"]] == ["default", "default-flip"] * 2
    assert found["results"][0]["speedup"] > 1  # the flip does twice the work
    stages = [row[0] for row in found["stages"]]
    assert {"from JPEG bytes to landmarks", "region networks, batch 1"} <= set(stages)
    assert "dense mesh" in capsys.readouterr().out


def test_openvino_runs_the_same_network():
    pytest.importorskip("openvino", reason="needs the extra `train`")
    from ddfa.bench.runtimes import runner
    from ddfa.regress.registry import find_bundle

    crops = np.random.default_rng(0).integers(0, 256, (2, 120, 120, 3), np.uint8)
    one, other = (runner(find_bundle("default"), runtime, 1)(crops) for runtime in ("onnxruntime", "openvino"))
    np.testing.assert_allclose(other, one, rtol=1e-2, atol=1e-2)


def test_no_round_is_an_error(capsys):
    assert main(["bench", "speed", "--rounds", "0"]) == 2
    assert "from 1 up" in capsys.readouterr().err
