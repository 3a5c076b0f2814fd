"""Changes of ONNX graphs, tested on a linear network whose output is known."""

from dataclasses import replace

import numpy as np
import onnxruntime as ort
import pytest

onnx = pytest.importorskip("onnx", reason="needs the extra `train`")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from ddfa.errors import ModelError  # noqa: E402
from ddfa.regress.bundle import Bundle  # noqa: E402
from ddfa.regress.registry import find_bundle  # noqa: E402
from ddfa.regress.whitening import Whitening  # noqa: E402
from ddfa.train.convert.flip_ensemble import average_with_flip, flip_map  # noqa: E402
from ddfa.train.convert.model_ensemble import average_models  # noqa: E402
from ddfa.train.convert.quantize import accept_uint8_crops, quantize  # noqa: E402

SIZE = 8
P = 144


@pytest.fixture(scope="module")
def weights():
    return np.random.default_rng(0).normal(0, 0.01, (3 * SIZE * SIZE, P)).astype(np.float32)


@pytest.fixture
def network(tmp_path, weights):
    """(n, 3, S, S) -> (n, P), a linear map."""
    nodes = [
        helper.make_node("Flatten", ["input"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["output"]),
    ]
    images = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])
    result = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", P])
    graph = helper.make_graph(nodes, "linear", [images], [result], [numpy_helper.from_array(weights, "weights")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "linear.onnx")
    return tmp_path / "linear.onnx"


@pytest.fixture
def bundle(network) -> Bundle:
    shipped = find_bundle(None)
    return replace(shipped, folder=network.parent, input_size=SIZE)


def outputs(path, inputs):
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: inputs})[0]


def images(count=3):
    return np.random.default_rng(1).uniform(-1, 1, (count, 3, SIZE, SIZE)).astype(np.float32)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_uint8_crops_are_normalised_in_the_graph(network, weights, order):
    accept_uint8_crops(network, SIZE, order)
    crops = np.random.default_rng(2).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    channels = crops if order == "RGB" else crops[..., ::-1]
    wanted = ((channels.astype(np.float32) - 127.5) / 128).transpose(0, 3, 1, 2).reshape(3, -1) @ weights
    np.testing.assert_allclose(outputs(network, crops), wanted, atol=1e-5)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 0), ("float16", 2e-3)])
def test_precision(network, tmp_path, precision, tolerance):
    quantize(network, tmp_path / "out.onnx", precision)
    found = outputs(tmp_path / "out.onnx", images())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, outputs(network, images()), atol=tolerance)


def test_test_time_flip_averages_both_views(network, bundle, tmp_path):
    average_with_flip(bundle, tmp_path / "flip.onnx", network)
    source, gain, shift = flip_map(bundle)
    mirrored = outputs(network, np.ascontiguousarray(images()[..., ::-1]))
    wanted = (outputs(network, images()) + gain * mirrored[:, source] + shift) / 2
    np.testing.assert_allclose(outputs(tmp_path / "flip.onnx", images()), wanted, atol=1e-4)


def test_mirroring_twice_is_the_identity(bundle):
    source, gain, shift = flip_map(bundle)
    np.testing.assert_array_equal(source[source], np.arange(P))
    np.testing.assert_allclose(gain * gain[source], 1, rtol=1e-4)
    np.testing.assert_allclose(gain * shift[source] + shift, 0, atol=1e-3)


def test_an_ensemble_averages_de_whitened_parameters(network, bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(Bundle, "model_path", property(lambda self: network))
    mean, std = bundle.whitening.mean, bundle.whitening.std
    other = replace(bundle, whitening=Whitening(mean + 2 * std, 3 * std))
    average_models([bundle, other], tmp_path / "both.onnx")
    single = outputs(network, images())
    np.testing.assert_allclose(outputs(tmp_path / "both.onnx", images()), (single + 3 * single + 2) / 2, atol=1e-4)
    with pytest.raises(ModelError, match="differ in input_size"):
        average_models([bundle, replace(bundle, input_size=2 * SIZE)], tmp_path / "no.onnx")


def test_networks_with_uint8_input_are_refused(network, bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(Bundle, "model_path", property(lambda self: network))
    accept_uint8_crops(network, SIZE, "RGB")
    with pytest.raises(ModelError, match="uint8 input"):
        average_with_flip(bundle, tmp_path / "flip.onnx", network)
    with pytest.raises(ModelError, match="uint8 input"):
        average_models([bundle, bundle], tmp_path / "both.onnx")
