import json
import os
import shutil
import struct
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from ddfa.errors import ModelError, OutputError
from ddfa.export.face_files import FaceFiles
from ddfa.export.glb import GlbAnimation, neck_cap, write_glb
from ddfa.geometry.pose import matrix_from_euler
from ddfa.head.model import HeadModel
from ddfa.head.open import load_open_head
from ddfa.images import read_image
from ddfa.texture.unwrap import Texture

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
    tongue = face.head.expression_names.index("tongueOut")
    moving = [found["accessors"][p["targets"][tongue]["POSITION"]].get("sparse", {}) for p in mesh["primitives"]]
    assert moving[2]["count"] > 800 and not any(moving[k].get("count", 0) > 1 for k in (0, 1, 3))
    triangles = sum(found["accessors"][primitive["indices"]]["count"] // 3 for primitive in mesh["primitives"])
    assert triangles == len(face.head.triangles) + len(neck_cap(face.head).triangles)
    paths = [channel["target"]["path"] for channel in found["animations"][0]["channels"]]
    assert paths == ["weights", "rotation", "translation"]
    x, y, z, w = found["nodes"][0]["rotation"]
    np.testing.assert_allclose(2 * (x * z + y * w), face.rotation[0, 0, 2], atol=1e-6)


def test_a_light_head_has_the_same_vertices_without_blendshapes(face, tmp_path):
    write_glb(tmp_path / "whole.glb", face)
    write_glb(tmp_path / "light.glb", face, blendshapes=False)
    whole, light = (document(tmp_path / name) for name in ("whole.glb", "light.glb"))
    assert light["nodes"] == whole["nodes"] and light["materials"] == whole["materials"]
    for one, other in zip(whole["meshes"][0]["primitives"], light["meshes"][0]["primitives"], strict=True):
        assert "targets" not in other
        for name in ("POSITION", "NORMAL", "TEXCOORD_0"):
            kept, there = (found["accessors"][p["attributes"][name]] for found, p in ((whole, one), (light, other)))
            assert kept["count"] == there["count"] and kept.get("max") == there.get("max")
    assert (tmp_path / "light.glb").stat().st_size < 1.2e6 < (tmp_path / "whole.glb").stat().st_size / 3


def test_it_opens_upright_and_not_mirrored(face, tmp_path):
    """The tip of the nose is foremost, the forehead above it, the subject's left at +x."""
    trimesh = pytest.importorskip("trimesh")
    write_glb(tmp_path / "a.glb", face, neutral_pose=True)
    mesh = trimesh.load(tmp_path / "a.glb", force="mesh")
    low, high = mesh.bounds
    assert 0.15 < (high - low)[1] < 0.35  # metres
    np.testing.assert_allclose(mesh.vertices[mesh.vertices[:, 2].argmax()][0], 0, atol=0.01)  # the tip of the nose
    mean = face.head.mean * 1e-3
    nose, left_eye = face.head.landmark_points.mean[[30, 45]] * 1e-3
    front = mean[mean[:, 2] > left_eye[2]]
    forehead = front[front[:, 1].argmax()]
    assert nose[2] > left_eye[2] > 0 and forehead[1] > nose[1] + 0.05 and left_eye[0] > 0.02
    for place in (nose, left_eye, forehead, mean[mean[:, 1].argmax()]):
        assert np.linalg.norm(mesh.vertices - place, axis=1).min() < 2e-3
    assert mesh.volume > 0  # counter-clockwise seen from outside


VALIDATE = """
const validator = require(process.env.DDFA_GLTF_VALIDATOR + "/gltf-validator");
const check = path => validator.validateBytes(new Uint8Array(require("fs").readFileSync(path)));
Promise.all(process.argv.slice(1).map(check)).then(all => console.log(JSON.stringify(all.map(one => one.issues))));
"""


def test_khronos_validator_finds_nothing(face, tmp_path):
    """Runs with `npm install gltf-validator` and DDFA_GLTF_VALIDATOR naming the node_modules folder."""
    if not shutil.which("node") or not os.environ.get("DDFA_GLTF_VALIDATOR"):
        pytest.skip("needs node, and gltf-validator in the folder that DDFA_GLTF_VALIDATOR names")
    texture = Texture(np.full((32, 32, 3), 120, np.uint8), np.ones((32, 32), np.float32))
    turns = np.stack([matrix_from_euler(np.array([yaw, 0.0, 0.0])) for yaw in (0.0, 200.0)])
    moves = GlbAnimation(np.array([0.0, 0.1]), np.zeros((2, 52)), turns, np.zeros((2, 3)))
    write_glb(tmp_path / "plain.glb", face)
    write_glb(tmp_path / "textured.glb", face, texture)
    write_glb(tmp_path / "moving.glb", face, texture, moves)
    write_glb(tmp_path / "neutral.glb", face.without(pose=True, expression=True), texture)
    (tmp_path / "broken.glb").write_bytes((tmp_path / "plain.glb").read_bytes()[:-8])
    names = ["plain", "textured", "moving", "neutral", "broken"]
    words = ["node", "-e", VALIDATE, *(tmp_path / f"{name}.glb" for name in names)]
    *good, broken = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    for name, issues in zip(names, good, strict=False):
        assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), (name, issues["messages"][:5])
    assert broken["numErrors"], "the validator finds something where there is something"


def test_what_cannot_be_written_is_named(face, toy_head, tmp_path):
    with pytest.raises(ModelError, match="open head"):
        write_glb(tmp_path / "b.glb", place_faces(toy_head))
    with pytest.raises(OutputError, match="another place"):
        write_glb(tmp_path / "nowhere" / "b.glb", face)
    frozen = GlbAnimation(np.zeros(2), np.zeros((2, 52)), np.stack([np.eye(3)] * 2), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="increase"):
        write_glb(tmp_path / "b.glb", face, animation=frozen)
    assert not list(tmp_path.iterdir())


def test_obj_names_its_picture_where_both_are_saved(face, tmp_path):
    plain = FaceFiles(face, np.full((240, 320, 3), 90, np.uint8), tmp_path / "photo.jpg")
    plain.write("obj", 0, tmp_path / "photo_0")
    assert [path.name for path in tmp_path.iterdir()] == ["photo_0.obj"]
    assert "mtllib" not in (tmp_path / "photo_0.obj").read_text()
    files = replace(plain, with_material=True, texture_size=64)
    picture = files.write("texture", 0, tmp_path / "photo_0")
    files.write("obj", 0, tmp_path / "photo_0")
    assert "mtllib photo_0.mtl\n" in (tmp_path / "photo_0.obj").read_text()
    assert f"map_Kd {picture.name}\n" in (tmp_path / "photo_0.mtl").read_text()
    assert read_image(picture).shape == (64, 64, 3)


def test_neutral_heads_keep_the_texture_of_the_photo(face, tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    posed = FaceFiles(face, photo, tmp_path / "photo.jpg", texture_size=64)
    neutral = replace(posed, shown=face.without(pose=True, expression=True))
    (tmp_path / "a").mkdir()
    found = [document(files.write("glb", 0, tmp_path / name)) for files, name in ((posed, "a/a"), (neutral, "b"))]
    np.testing.assert_allclose(found[1]["nodes"][0]["rotation"], [0, 0, 0, 1], atol=1e-6)
    assert abs(found[0]["nodes"][0]["rotation"][1]) > 0.1
    np.testing.assert_array_equal(posed.texture(0).image, neutral.texture(0).image)


def test_texture_kinds_are_written_by_name(face, tmp_path):
    photo = np.full((240, 320, 3), 90, np.uint8)
    files = FaceFiles(face, photo, tmp_path / "photo.jpg")
    written = [files.write(kind, 0, tmp_path / "photo_0").name for kind in ("glb", "texture", "validity")]
    assert written == ["photo_0.glb", "photo_0_texture.png", "photo_0_validity.png"]
    assert read_image(tmp_path / "photo_0_texture.png").shape == (1024, 1024, 3)
    assert document(tmp_path / "photo_0.glb")["images"][0]["mimeType"] == "image/png"


def test_the_neck_is_closed_and_faces_down():
    head = load_open_head()
    neck = neck_cap(head)
    cap = neck.vertices[neck.triangles]
    skin = head.triangles[head.regions["skin"][head.triangles].all(axis=1)]
    rim = set(cap.ravel().tolist())
    edges = np.concatenate([np.stack([t, np.roll(t, -1, axis=1)], axis=-1).reshape(-1, 2) for t in (skin, cap)])
    around = edges[np.isin(edges, list(rim)).all(axis=1)]
    directed = set(map(tuple, around.tolist()))
    assert len(rim) > 50 and len(cap) == len(rim) - 2
    assert all((b, a) in directed for a, b in directed)  # each edge is shared, with opposite directions
    a, b, c = np.moveaxis(head.mean[cap], 1, 0)
    assert np.cross(b - a, c - a)[:, 1].sum() < 0
    assert neck.texture.shape == neck.vertices.shape and neck.texture.max() < len(head.uv)
