"""The whole computation as one ONNX graph agrees with Python."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs the extra `train`")
import onnxruntime as ort
from hypothesis import given, settings
from hypothesis import strategies as st

import ddfa.regress.sampling_kernel  # noqa: F401  the compiled sampler, which does not round block means, is used then
from ddfa.align import FaceAligner
from ddfa.errors import ModelError, OutputError
from ddfa.geometry.pose import matrix_from_euler, nearest_rotation
from ddfa.geometry.roi import roi_from_boxes, roi_from_landmarks
from ddfa.images import read_image
from ddfa.regress.convention import PixelConvention
from ddfa.train.convert.config import ConvertConfig
from ddfa.train.convert.full_graph import nearest_rotations, write_full_graph
from ddfa.train.convert.graph import Graph
from ddfa.train.convert.image_crop import crop_of_box
from ddfa.train.convert.pipeline import convert_to_full


def run(path, **inputs):
    session = ort.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


@pytest.fixture(scope="module")
def aligner():
    return FaceAligner(regions=False, any_roll=False, threads=1)


@pytest.fixture(scope="module")
def of_image(aligner, tmp_path_factory):
    path = tmp_path_factory.mktemp("full") / "image.onnx"
    write_full_graph(aligner.bundle, path, "image")
    return path


def assert_same(found, faces, k=0):
    """The outputs of a graph are those of face k in Python."""
    np.testing.assert_allclose(found["landmarks"][0], faces.landmarks68[k], atol=0.02)  # px
    np.testing.assert_allclose(found["vertices"][0], faces.vertices[k], atol=0.02)
    np.testing.assert_allclose(found["rotation"][0], faces.rotation[k], atol=1e-4)
    np.testing.assert_allclose(found["scale"][0], faces.scale[k], rtol=1e-4)
    np.testing.assert_allclose(found["translation"][0], faces.translation[k], atol=0.02)
    np.testing.assert_allclose(found["blendshapes"][0], faces.blendshapes[k], atol=1e-3)
    np.testing.assert_allclose(found["quality"][0], faces.quality[k], atol=1e-3)


def test_image_and_box(root, aligner, of_image) -> None:
    image = read_image(root / "samples" / "test1.jpg")  # two faces; one is larger than twice the crop
    faces = aligner(image)
    for k in range(len(faces)):
        found = run(of_image, image=image, box=faces.boxes[k])
        assert_same(found, faces, k)
        np.testing.assert_allclose(found["roi"][0], faces.roi[k], atol=1e-3)
        again = run(of_image, image=image, box=found["next_box"])
        np.testing.assert_allclose(again["roi"], roi_from_landmarks(found["landmarks"]), atol=1e-2)


@pytest.mark.parametrize("corner", [(-40, -30), (250, 200)])
def test_faces_at_the_border(root, aligner, of_image, corner) -> None:
    image = np.ascontiguousarray(read_image(root / "samples" / "astronaut.jpg")[40:300, 120:420])
    box = np.array([*corner, corner[0] + 90, corner[1] + 110], np.float32)
    assert_same(run(of_image, image=image, box=box), aligner(image, boxes=box[None]))


def test_crops(root, aligner, tmp_path) -> None:
    """A crop is an image whose RoI is all of it."""
    image = read_image(root / "samples" / "astronaut.jpg")
    crops = np.stack([image[k : k + 120, 150 : 150 + 120] for k in (30, 40)])
    whole = np.array([[-0.5, -0.5, 119.5, 119.5]], np.float32)
    path, config = tmp_path / "crops.onnx", {"bundle": "default", "to": "onnx-full"}
    convert_to_full(ConvertConfig(output=path, **config))
    found = run(path, crops=crops)
    assert found["vertices"].shape == (2, aligner.head.vertices, 3)
    for k, crop in enumerate(crops):
        one = {name: values[k : k + 1] for name, values in found.items()}
        assert_same(one, aligner.align_rois(crop, whole, aligner.locate(crop, boxes=whole).found))
    small = tmp_path / "small.onnx"
    convert_to_full(ConvertConfig(output=small, input="float", outputs=("blendshapes", "landmarks"), **config))
    normalised = ((crops.transpose(0, 3, 1, 2) - 127.5) / 128).astype(np.float32)
    few = run(small, input=normalised)
    assert sorted(few) == ["blendshapes", "landmarks"] and 4 * small.stat().st_size < path.stat().st_size
    np.testing.assert_allclose(few["landmarks"], found["landmarks"], atol=1e-3)


def test_refused(tmp_path, aligner) -> None:
    for config in ({"input": "image"}, {"outputs": ("landmarks",)}):
        with pytest.raises(ModelError, match="onnx-full"):
            ConvertConfig("default", tmp_path / "x", **config)
    with pytest.raises(OutputError, match=r"\.onnx file"):
        ConvertConfig("default", tmp_path / "x", to="onnx-full")
    with pytest.raises(ModelError, match="no output mesh: choose from landmarks"):
        write_full_graph(aligner.bundle, tmp_path / "x.onnx", outputs=["mesh"])
    original = dataclasses.replace(aligner.bundle, convention=PixelConvention.V2)
    with pytest.raises(ModelError, match="original 3DDFA"):
        write_full_graph(original, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def built(graph, inputs, outputs):
    infos = [[ort_info(name, *kind) for name, kind in some.items()] for some in (inputs, outputs)]
    return ort.InferenceSession(graph.model(*infos, opset=17).SerializeToString())


def ort_info(name, kind, shape):
    from onnx import helper

    return helper.make_tensor_value_info(name, kind, shape)


@pytest.fixture(scope="module")
def polar():
    graph = Graph("")
    graph.named(nearest_rotations(graph, "matrix", "scale"), "rotation")
    inputs = {"matrix": (1, ["n", 3, 3]), "scale": (1, ["n"])}
    return built(graph, inputs, {"rotation": (1, ["n", 3, 3])})


ANGLES = st.tuples(*[st.floats(-179, 179)] * 3)


@given(ANGLES, st.floats(0.05, 5), st.integers(0, 2**32))
@settings(max_examples=50)
def test_nearest_rotation(polar, angles, scale, seed) -> None:
    noise = 0.2 * np.random.default_rng(seed).normal(size=(3, 3))
    matrix = (scale * (matrix_from_euler(np.array(angles)) + noise))[None].astype(np.float32)
    if np.linalg.det(matrix[0]) < 0.05 * scale**3:
        return  # a reflection, or almost
    size = np.linalg.norm(matrix[:, :2], axis=2).mean(axis=1)
    (found,) = polar.run(None, {"matrix": matrix, "scale": size})
    np.testing.assert_allclose(found, nearest_rotation(matrix), atol=2e-5)


@pytest.fixture(scope="module")
def cutter():
    graph = Graph("")
    crop, roi = crop_of_box(graph, "image", "box", 24)
    graph.named(crop, "crop"), graph.named(roi, "roi")
    inputs = {"image": (2, ["h", "w", 3]), "box": (1, [4])}
    return built(graph, inputs, {"crop": (1, [1, 3, 24, 24]), "roi": (1, [1, 4])})


@given(st.floats(-60, 90), st.floats(-60, 90), st.floats(5, 200), st.integers(1, 80), st.integers(1, 80))
@settings(max_examples=50)
def test_crop(cutter, x, y, side, width, height) -> None:
    from ddfa.regress.sampling import network_crops
    from ddfa.regress.sampling_kernel import sample

    image = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    box = np.array([x, y, x + side, y + side], np.float32)
    crop, roi = cutter.run(None, {"image": image, "box": box})
    np.testing.assert_allclose(roi, roi_from_boxes(box[None], enlargement=1.28), atol=1e-3)
    expected = network_crops(image, roi, 24, sample) * 128 + 127.5
    np.testing.assert_allclose(crop, expected, atol=0.1)


def test_graphs_keep_what_outputs_need() -> None:
    graph = Graph("x_")
    graph("Add", "a", np.float32(1))
    graph.named(graph("Mul", "a", np.float32(2)), "b")
    model = graph.model([ort_info("a", 1, [1])], [ort_info("b", 1, [1])], 17, note="kept")
    assert [node.op_type for node in model.graph.node] == ["Mul", "Identity"] and len(model.graph.initializer) == 1
