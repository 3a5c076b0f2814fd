"""Mesh files, read back by other people's readers."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from ddfa.errors import OutputError
from ddfa.export import mesh_points, sample_colours, write_mat, write_mtl, write_obj, write_ply
from ddfa.head.model import HeadModel
from ddfa.images import read_image, write_image

from ..face_factory import place_faces

HEIGHT = 240


@pytest.fixture(scope="module")
def open_head() -> HeadModel:
    return HeadModel.load()


@pytest.fixture(scope="module")
def vertices(open_head: HeadModel) -> np.ndarray:
    return place_faces(open_head, image_size=(320, HEIGHT)).vertices[0]


@pytest.fixture(scope="module")
def load():
    trimesh = pytest.importorskip("trimesh", reason="needs the extra `dev`")
    return lambda path: trimesh.load(path, process=False, maintain_order=True)


@pytest.mark.parametrize("text", [False, True])
def test_ply_holds_the_mesh(tmp_path: Path, load, vertices, open_head: HeadModel, text: bool) -> None:
    points = mesh_points(vertices, HEIGHT)
    write_ply(tmp_path / "face.ply", points, open_head.triangles, text=text)
    mesh = load(tmp_path / "face.ply")
    np.testing.assert_allclose(mesh.vertices, points, atol=6e-5 if text else 0)
    np.testing.assert_array_equal(mesh.faces, open_head.triangles)


def test_ply_header_is_plain(tmp_path: Path) -> None:
    write_ply(tmp_path / "face.ply", np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32))
    content = (tmp_path / "face.ply").read_bytes()
    lines = content[: content.index(b"end_header")].decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    assert all(line == line.strip() for line in lines)
    assert len(content) - content.index(b"end_header\n") - len(b"end_header\n") == 3 * 12 + 13


def test_mesh_is_upright_and_not_mirrored(tmp_path: Path, load, vertices, open_head: HeadModel) -> None:
    write_ply(tmp_path / "face.ply", mesh_points(vertices, HEIGHT), open_head.triangles)
    mesh = load(tmp_path / "face.ply")
    points, regions = np.asarray(mesh.vertices), open_head.regions
    assert points[regions["eye_left"], 0].mean() > points[regions["eye_right"], 0].mean() + 10, "subject's left: +x"
    assert points[regions["eye_left"], 1].mean() > points[regions["lips"], 1].mean() + 10, "y is up"
    assert points[regions["nose"], 2].max() > points[regions["ears"], 2].max() + 20, "z is towards the viewer"
    skin = regions["skin"][open_head.triangles].all(axis=1)
    outward = mesh.triangles_center[skin] - points[regions["skin"]].mean(axis=0)
    assert (np.einsum("ij,ij->i", mesh.face_normals[skin], outward) > 0).mean() > 0.75, "triangles face outwards"


def test_obj_carries_the_atlas(tmp_path: Path, load, vertices, open_head: HeadModel) -> None:
    points = mesh_points(vertices, HEIGHT)
    write_obj(tmp_path / "face.obj", points, open_head.triangles, open_head.uv, open_head.uv_triangles)
    lines = (tmp_path / "face.obj").read_text().splitlines()
    kinds = [line.split(" ")[0] for line in lines]
    assert (kinds.count("v"), kinds.count("vt")) == (len(points), len(open_head.uv))
    corners = [line.split(" ")[1:] for line in lines if line.startswith("f ")]
    indices = np.array([[corner.split("/") for corner in face] for face in corners], int) - 1
    np.testing.assert_array_equal(indices[..., 0], open_head.triangles)
    np.testing.assert_array_equal(indices[..., 1], open_head.uv_triangles)
    assert len(load(tmp_path / "face.obj").faces) == len(open_head.triangles)


def test_obj_with_a_texture(tmp_path: Path, vertices, open_head: HeadModel) -> None:
    """Another reader finds material and picture by their names, blanks and umlauts in them, and the same places."""
    trimesh = pytest.importorskip("trimesh", reason="needs the extra `dev`")
    write_image(tmp_path / "my fäce_texture.png", np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    write_mtl(tmp_path / "my fäce.mtl", "my fäce_texture.png")
    points, path = mesh_points(vertices, HEIGHT), tmp_path / "my fäce.obj"
    write_obj(path, points, open_head.triangles, open_head.uv, open_head.uv_triangles, material="my fäce.mtl")
    mesh = trimesh.load(path, process=False)  # which splits the vertices along the seams, as `maintain_order` does not
    picture = np.asarray(mesh.visual.material.image.convert("RGB"))
    np.testing.assert_array_equal(picture, read_image(tmp_path / "my fäce_texture.png"))
    np.testing.assert_allclose(mesh.vertices[mesh.faces], points[open_head.triangles], atol=6e-5)
    np.testing.assert_allclose(mesh.visual.uv[mesh.faces], open_head.uv[open_head.uv_triangles], atol=6e-7)
    assert mesh.visual.material.to_color(np.array([[0.001, 0.999]]))[0, :3].tolist() == picture[0, 0].tolist()


def test_obj_with_colours(tmp_path: Path, load) -> None:
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    colours = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0.5]], np.float32)
    write_obj(tmp_path / "face.obj", points, np.array([[0, 1, 2]], np.int32), colours=colours)
    assert "v 0.0000 1.0000 0.0000 0.0000 0.0000 0.5000\n" in (tmp_path / "face.obj").read_text()
    assert np.asarray(load(tmp_path / "face.obj").visual.vertex_colors)[0].tolist()[:3] == [255, 0, 0]


def test_without_triangles(tmp_path: Path, load) -> None:
    points, none = np.ones((5, 3), np.float32), np.zeros((0, 3), np.int32)
    write_ply(tmp_path / "cloud.ply", points, none)
    write_obj(tmp_path / "cloud.obj", points, none)
    assert len(load(tmp_path / "cloud.ply").vertices) == 5


def test_mat_is_what_matlab_reads(tmp_path: Path, vertices) -> None:
    write_mat(tmp_path / "face.mat", vertices)
    assert (tmp_path / "face.mat").read_bytes().startswith(b"MATLAB 5.0 MAT-file")
    vertex = loadmat(tmp_path / "face.mat")["vertex"]
    assert vertex.dtype == np.float32 and vertex.shape == (3, len(vertices))
    np.testing.assert_array_equal(vertex.T, vertices)


def test_colours_come_from_the_nearest_pixel() -> None:
    image = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    vertices = np.array([[0, 0, 9], [3.4, 2.6, 0], [-70, 99, 0]], np.float32)
    expected = np.stack([image[0, 0], image[3, 3], image[3, 0]]) / 255
    np.testing.assert_allclose(sample_colours(image, vertices), expected, rtol=1e-6)


def test_unwritable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    points, triangles = np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32)
    for write in (write_ply, write_obj, lambda path, points, _: write_mat(path, points)):
        with pytest.raises(OutputError, match="cannot write"):
            write(tmp_path / "file" / "face", points, triangles)
