"""What `Faces.save`, `draw`, `to_*` and the notebook views do."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

import ddfa
from ddfa.data.sets.pts import read_pts
from ddfa.errors import ImageError, OutputError
from ddfa.export.save import kind_of
from ddfa.extras import MissingExtraError, require
from ddfa.geometry.perspective import Camera
from ddfa.head.open import load_open_head
from ddfa.image_input import ImageSource

from ..face_factory import place_faces

PHOTO = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)


@pytest.fixture(scope="module")
def faces():
    return place_faces(load_open_head(), [(0, 0, 0), (30, -10, 5)])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.glb", "glb"),
        ("x.OBJ", "obj"),
        ("x_depth.png", "depth"),
        ("x_coco.json", "coco"),
        ("x.json", "json"),
        ("x.png", "overlay"),
    ],
)
def test_the_name_tells_the_kind(tmp_path, name, kind):
    assert kind_of(tmp_path / name) == kind


def test_one_file_per_face_or_exactly_the_name(faces, tmp_path):
    assert [path.name for path in faces.save(tmp_path / "x.ply")] == ["x_0.ply", "x_1.ply"]
    assert [path.name for path in faces[1].save(tmp_path / "y.ply")] == ["y.ply"]
    assert [path.name for path in faces.save(tmp_path / "x_depth.png")] == ["x_0_depth.png", "x_1_depth.png"]
    assert faces.save(tmp_path / "any.png", "overlay", image=PHOTO) == [tmp_path / "any.png"]
    assert faces[0].save(tmp_path / "x.glb", image=PHOTO / 255, texture_size=64)[0].read_bytes()[:4] == b"glTF"
    assert (tmp_path / "y.ply").read_bytes() == (tmp_path / "x_1.ply").read_bytes()


def test_errors_name_the_fix(faces, tmp_path):
    with pytest.raises(OutputError, match=r"no kind of file has this ending: use one of \.ply"):
        faces.save(tmp_path / "x.stl")
    with pytest.raises(OutputError, match="unknown kind of file 'stl'"):
        faces.save(tmp_path / "x.ply", "stl")
    with pytest.raises(OutputError, match="shows no face"):
        faces[:0].save(tmp_path / "x.ply")
    with pytest.raises(ImageError, match="pass them as `image`"):
        faces.save(tmp_path / "x.glb")
    assert not list(tmp_path.iterdir())


def test_drawings_keep_the_size_of_the_photo(faces):
    drawn = faces.draw(PHOTO, "landmarks")
    assert drawn.shape == PHOTO.shape and (drawn != PHOTO).any()
    assert max(faces.draw(PHOTO, resize=True).shape) == 1200
    alone = faces[0].draw(PHOTO, "landmarks")
    assert (alone != drawn).any() and (alone != PHOTO).any()


def test_dictionaries_are_json(faces, tmp_path):
    faces[1].save(tmp_path / "x.json")
    whole = json.loads(json.dumps(faces.to_dict()))
    one = json.loads(json.dumps(faces[1].to_dict()))
    assert one["face"] == {"index": 1, "count": 2} and len(whole["faces"]) == 2
    assert whole["faces"][1] == {key: one[key] for key in whole["faces"][1]}
    assert whole["image"] == one["image"] == {"path": None, "width": 320, "height": 240}


def test_tables_have_the_columns_of_openface(faces, tmp_path):
    faces = replace(faces, camera=Camera(fov_deg=60))
    faces.save(tmp_path / "x.csv")
    with (tmp_path / "x.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 and list(rows[0])[:8] == [
        *("face", "confidence", "pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"),
    ]
    for face, row in zip(faces, rows, strict=True):
        assert [float(row["x_8"]), float(row["y_8"])] == pytest.approx(face.landmarks68[8, :2].tolist())
        assert float(row["jawOpen"]) == 0
        position = [float(row[f"pose_T{axis}"]) for axis in "xyz"]
        np.testing.assert_allclose(position, face.perspective.translation_mm * [1, -1, -1], rtol=1e-6)
        # The points in mm project to the landmarks, up to what the fit to the dense mesh leaves.
        x, y, z = (np.array([float(row[f"{axis}_{k}"]) for k in range(68)]) for axis in "XYZ")
        intrinsics = faces.camera.at(faces.image_size)
        u, v = intrinsics.cx + intrinsics.fx * x / z, intrinsics.cy + intrinsics.fy * y / z
        assert np.abs(np.stack([u, v], axis=1) - face.landmarks68[:, :2]).mean() < 2


@pytest.mark.parametrize("euler", [(25.0, 0, 0), (0, 25.0, 0), (0, 0, 25.0), (20.0, -15.0, 10.0)])
def test_angles_of_openface_rebuild_the_rotation(euler):
    """R = Rx Ry Rz in axes x right, y down, z away from the viewer, as in the source of OpenFace."""
    face = place_faces(load_open_head(), [euler])
    x, y, z = (float(ddfa.face_columns(face)[f"pose_R{axis}"][0]) for axis in "xyz")
    rx = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    rz = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    flip = np.diag([1, -1, -1])
    np.testing.assert_allclose(flip @ (rx @ ry @ rz) @ flip, face.rotation[0], atol=1e-5)


def test_tables_of_other_libraries(faces, tmp_path):
    pandas, arrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow.parquet")
    frame = faces.to_pandas()
    assert isinstance(frame, pandas.DataFrame) and list(frame) == list(ddfa.face_columns(faces))
    faces.save(tmp_path / "x.parquet")
    assert arrow.read_table(tmp_path / "x.parquet").equals(faces.to_arrow())


def test_a_missing_library_names_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"needs pandas: pip install 'openddfa\[pandas\]'"):
        require("pandas")


@pytest.mark.parametrize("name", ["ibug68", "wflw98"])
def test_points_files(faces, tmp_path, name):
    faces.save(tmp_path / "x.pts", landmarks=name)
    points = faces.landmarks(name)
    np.testing.assert_allclose(read_pts(tmp_path / "x_1.pts"), points[1, :, :2], atol=6e-4)
    faces.save(tmp_path / "x_coco.json", landmarks=name)
    content = json.loads((tmp_path / "x_coco.json").read_text())
    category, annotation = content["categories"][0], content["annotations"][1]
    keypoints = np.array(annotation["keypoints"]).reshape(-1, 3)
    np.testing.assert_allclose(keypoints[:, :2], points[1, :, :2], atol=1e-3)
    assert set(keypoints[:, 2]) == {1, 2}
    assert len(category["keypoints"]) == annotation["num_keypoints"] == len(keypoints)
    assert annotation["image_id"] == content["images"][0]["id"] and annotation["category_id"] == category["id"]


def test_notebooks_show_a_picture_and_a_table(faces):
    assert faces._repr_png_() is None and "<img" not in faces._repr_html_()
    there = replace(faces, source=ImageSource(PHOTO))
    assert there._repr_png_()[:4] == b"\x89PNG" and "data:image/jpeg" in there[0]._repr_html_()
    assert there._repr_html_().count("<tr>") == 3
