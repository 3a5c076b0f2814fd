"""The JSON record: complete, documented, exact."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ddfa.export import face_record, write_landmarks, write_record, write_roi
from ddfa.export.face_files import FaceFiles
from ddfa.head.model import HeadModel

from ..face_factory import place_faces


@pytest.fixture(scope="module")
def faces():
    faces = place_faces(HeadModel.load(), [(0, 0, 0), (30, -10, 5)])
    return replace(faces, model=replace(faces.model, name="toy", sha256="ab12"))


@pytest.fixture
def record(faces, tmp_path: Path) -> dict:
    path = tmp_path / "face_1.json"
    write_record(path, face_record(faces, 1, Path("photos/é x.jpg")))
    return json.loads(path.read_text(encoding="utf-8"))


def test_identity(record: dict) -> None:
    assert (record["format"], record["version"]) == ("openddfa.face", 1)
    assert record["image"] == {"path": "photos/é x.jpg", "width": 320, "height": 240}
    assert record["model"] == {"name": "toy", "sha256": "ab12", "head": "open"}
    assert record["face"] == {"index": 1, "count": 2}


def test_numbers_keep_every_bit(record: dict, faces) -> None:
    pairs = {
        "box": faces.boxes[1],
        "score": faces.scores[1],
        "roi": faces.roi[1],
        "rotation": faces.rotation[1],
        "scale": faces.scale[1],
        "translation": faces.translation[1],
        "landmarks68": faces.landmarks68[1],
    }
    for key, array in pairs.items():
        np.testing.assert_array_equal(np.float32(record[key]), array, err_msg=key)
    angles = record["euler_deg"]
    np.testing.assert_array_equal(np.float32([angles[k] for k in ("yaw", "pitch", "roll")]), faces.euler_deg[1])
    parts = record["params"]
    joined = np.concatenate([np.ravel(parts["pose"]), parts["identity"], parts["expression"]])
    np.testing.assert_array_equal(np.float32(joined), faces.params[1])


def test_landmarks_follow_from_the_documented_camera(record: dict, faces) -> None:
    """docs/outputs.md: image = scale * (x, -y, z of rotation @ head point) + translation."""
    points = faces.head.decode_landmarks(faces.identity[1:], faces.expression[1:])[0]
    camera = points @ np.array(record["rotation"]).T * [1, -1, 1]
    image = record["scale"] * camera + record["translation"]
    np.testing.assert_allclose(image, record["landmarks68"], atol=2e-3)


def test_blendshapes_by_name(record: dict, faces, toy_head) -> None:
    assert list(record["blendshapes"]) == list(faces.head.expression_names)
    assert record["blendshapes"]["jawOpen"] == 0
    assert face_record(place_faces(toy_head), 0, Path("x.jpg"))["blendshapes"] is None


def test_every_key_is_documented(record: dict, root: Path) -> None:
    page = (root / "docs" / "outputs.md").read_text()
    for key in record:
        assert f"`{key}`" in page, f"docs/outputs.md does not explain {key}"


def test_the_file_tells_what_is_seen_and_how_deep(faces, tmp_path: Path, root: Path) -> None:
    files = FaceFiles(faces, np.zeros((240, 320, 3), np.uint8), Path("x.jpg"))
    record = json.loads(files.write("json", 1, tmp_path / "face_1").read_text())
    z = faces.vertices[1, :, 2]
    np.testing.assert_array_equal(np.float32(record["depth_range"]), [z.min(), z.max()])
    seen = record["visibility68"]
    assert len(seen) == 68 and {type(value) for value in seen} == {bool}
    assert seen[30] and seen[13] and not seen[2], "yaw 30 hides the subject's right jaw"
    page = (root / "docs" / "outputs.md").read_text()
    assert "`visibility68`" in page and "`depth_range`" in page


def test_landmark_text(tmp_path: Path, faces) -> None:
    write_landmarks(tmp_path / "face.txt", faces.landmarks68[0])
    rows = (tmp_path / "face.txt").read_text().splitlines()
    assert len(rows) == 3 and rows[0].split(" ")[0] == f"{faces.landmarks68[0, 0, 0]:.3f}"
    np.testing.assert_allclose(np.loadtxt(tmp_path / "face.txt"), faces.landmarks68[0].T, atol=6e-4)


def test_roi_text(tmp_path: Path) -> None:
    write_roi(tmp_path / "face.roibox", np.array([1, 2.5, -3.25, 4], np.float32))
    assert (tmp_path / "face.roibox").read_text() == "1.000\n2.500\n-3.250\n4.000\n"
