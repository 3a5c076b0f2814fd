import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from ddfa.errors import ModelError, OutputError
from ddfa.export.faces import FaceFiles
from ddfa.export.glb import GlbAnimation, write_glb
from ddfa.geometry.pose import matrix_from_euler
from ddfa.head.model import HeadModel
from ddfa.images import read_image
from ddfa.render.texture import Texture

from ..face_factory import place_faces


@pytest.fixture(scope="module")
def face():
    return place_faces(HeadModel.load(), [(20.0, 0.0, 0.0)])


def document(path):
    content = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", content)
    assert (magic, version, length) == (b"glTF", 2, len(content))
    size, kind = struct.unpack_from("<I4s", content, 12)
    assert kind == b"JSON"
    return json.loads(content[20 : 20 + size])


def test_all_blendshapes_parts_and_pose_are_there(face, tmp_path):
    texture = Texture(np.full((32, 32, 3), 120, np.uint8), np.ones((32, 32), np.float32))
    turns = np.stack([matrix_from_euler(np.array([yaw, 0.0, 0.0])) for yaw in (0.0, 30.0)])
    moves = GlbAnimation(np.array([0.0, 0.1]), np.zeros((2, 52)), turns, np.zeros((2, 3)))
    write_glb(tmp_path / "a.glb", face, texture, moves)
    found = document(tmp_path / "a.glb")
    mesh = found["meshes"][0]
    assert mesh["extras"]["targetNames"] == list(face.head.expression_names) and len(mesh["weights"]) == 52
    assert all(len(primitive["targets"]) == 52 for primitive in mesh["primitives"])
    assert [material["name"] for material in found["materials"]] == ["eyes", "teeth", "mouth", "skin"]
    triangles = sum(found["accessors"][primitive["indices"]]["count"] // 3 for primitive in mesh["primitives"])
    assert triangles == len(face.head.triangles)
    paths = [channel["target"]["path"] for channel in found["animations"][0]["channels"]]
    assert paths == ["weights", "rotation", "translation"]
    x, y, z, w = found["nodes"][0]["rotation"]
    np.testing.assert_allclose(2 * (x * z + y * w), face.rotation[0, 0, 2], atol=1e-6)


def test_it_opens_upright_and_not_mirrored(face, tmp_path):
    trimesh = pytest.importorskip("trimesh")
    write_glb(tmp_path / "a.glb", face, neutral_pose=True)
    mesh = trimesh.load(tmp_path / "a.glb", force="mesh")
    low, high = mesh.bounds
    assert 0.15 < (high - low)[1] < 0.35  # metres
    np.testing.assert_allclose(mesh.vertices[mesh.vertices[:, 2].argmax()][0], 0, atol=0.01)  # the tip of the nose
    mean = face.head.mean * 1e-3
    for place in (face.head.landmark_points.mean[42] * 1e-3, mean[mean[:, 1].argmax()]):  # left eye, crown
        assert np.linalg.norm(mesh.vertices - place, axis=1).min() < 2e-3
    assert mesh.volume > 0  # counter-clockwise seen from outside


def test_what_cannot_be_written_is_named(face, toy_head, tmp_path):
    with pytest.raises(ModelError, match="open head"):
        write_glb(tmp_path / "b.glb", place_faces(toy_head))
    with pytest.raises(OutputError, match="another place"):
        write_glb(tmp_path / "nowhere" / "b.glb", face)
    frozen = GlbAnimation(np.zeros(2), np.zeros((2, 52)), np.stack([np.eye(3)] * 2), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="increase"):
        write_glb(tmp_path / "b.glb", face, animation=frozen)
    assert not list(tmp_path.iterdir())


def test_obj_names_its_picture_where_both_are_saved(face, toy_bundle, tmp_path):
    plain = FaceFiles(face, toy_bundle, np.full((240, 320, 3), 90, np.uint8), tmp_path / "photo.jpg")
    plain.write("obj", 0, tmp_path / "photo_0")
    assert [path.name for path in tmp_path.iterdir()] == ["photo_0.obj"]
    assert "mtllib" not in (tmp_path / "photo_0.obj").read_text()
    files = replace(plain, with_material=True, texture_size=64)
    picture = files.write("texture", 0, tmp_path / "photo_0")
    files.write("obj", 0, tmp_path / "photo_0")
    assert "mtllib photo_0.mtl\n" in (tmp_path / "photo_0.obj").read_text()
    assert f"map_Kd {picture.name}\n" in (tmp_path / "photo_0.mtl").read_text()
    assert read_image(picture).shape == (64, 64, 3)


def test_neutral_heads_keep_the_texture_of_the_photo(face, toy_bundle, tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    posed = FaceFiles(face, toy_bundle, photo, tmp_path / "photo.jpg", texture_size=64)
    neutral = replace(posed, shown=face.without(pose=True, expression=True))
    (tmp_path / "a").mkdir()
    found = [document(files.write("glb", 0, tmp_path / name)) for files, name in ((posed, "a/a"), (neutral, "b"))]
    np.testing.assert_allclose(found[1]["nodes"][0]["rotation"], [0, 0, 0, 1], atol=1e-6)
    assert abs(found[0]["nodes"][0]["rotation"][1]) > 0.1
    np.testing.assert_array_equal(posed.texture(0).image, neutral.texture(0).image)


def test_texture_kinds_are_written_by_name(face, toy_bundle, tmp_path):
    photo = np.full((240, 320, 3), 90, np.uint8)
    files = FaceFiles(face, toy_bundle, photo, tmp_path / "photo.jpg")
    written = [files.write(kind, 0, tmp_path / "photo_0").name for kind in ("glb", "texture", "validity")]
    assert written == ["photo_0.glb", "photo_0_texture.png", "photo_0_validity.png"]
    assert read_image(tmp_path / "photo_0_texture.png").shape == (1024, 1024, 3)
    assert document(tmp_path / "photo_0.glb")["images"][0]["mimeType"] == "image/png"
