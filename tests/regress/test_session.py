"""Running the network."""

from dataclasses import replace

import numpy as np
import pytest

from ddfa.errors import ModelError
from ddfa.regress.layout import ParamLayout
from ddfa.regress.session import Regressor, network_inputs


@pytest.fixture(scope="module")
def regressor(toy_bundle):
    return Regressor(toy_bundle, threads=1)


@pytest.mark.parametrize(("order", "channels"), [("RGB", [0, 1, 2]), ("BGR", [2, 1, 0])])
def test_network_inputs(order, channels):
    crops = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), np.uint8)
    inputs = network_inputs(crops, order)
    assert inputs.shape == (2, 3, 4, 4) and inputs.dtype == np.float32 and inputs.flags.c_contiguous
    np.testing.assert_array_equal(inputs, (crops.transpose(0, 3, 1, 2)[:, channels] - 127.5) / 128)


def test_parameters_are_dewhitened(toy_bundle, regressor):
    """The toy network is linear in the mean colour, so mid-grey returns its bias."""
    shifted = replace(toy_bundle, whitening=replace(toy_bundle.whitening, mean=toy_bundle.whitening.mean + 1))
    crops = np.full((1, 120, 120, 3), 128, np.uint8)
    difference = Regressor(shifted, threads=1).params_from_crops(crops) - regressor.params_from_crops(crops)
    np.testing.assert_allclose(difference, 1, atol=1e-4)


def test_rois_and_their_crops_have_the_same_parameters(regressor):
    image = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    roi = np.array([[9.5, 19.5, 129.5, 139.5], [99.5, 39.5, 219.5, 159.5]])  # one crop pixel per image pixel
    crops = np.stack([image[20:140, 10:130], image[40:160, 100:220]])
    np.testing.assert_allclose(regressor(image, roi), regressor.params_from_crops(crops), rtol=1e-4, atol=1e-3)


def test_batches_of_any_size_agree(regressor):
    crops = np.random.default_rng(0).integers(0, 256, (67, 120, 120, 3), np.uint8)
    together = regressor.params_from_crops(crops)
    assert together.shape == (67, 62)
    np.testing.assert_allclose(together[66:], regressor.params_from_crops(crops[66:]), atol=1e-5)
    assert regressor.params_from_crops(crops[:0]).shape == (0, 62)


def test_file_that_is_not_a_network(toy_bundle, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(ModelError, match="cannot be loaded as a network"):
        Regressor(toy_bundle, model_path=path)


def test_network_of_another_layout(toy_bundle):
    with pytest.raises(ModelError, match="the network returns 62 values, not 144"):
        Regressor(replace(toy_bundle, layout=ParamLayout(80, 52)))


def constant_network(path, output, shape=("n", 62)):
    """A network that returns `output` whatever its input is."""
    onnx = pytest.importorskip("onnx", reason="needs the extra `train`")
    helper = onnx.helper
    crops = helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ["n", 3, 120, 120])
    result = helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, shape)
    value = onnx.numpy_helper.from_array(np.asarray(output, np.float32))
    node = helper.make_node("Constant", [], ["output"], value=value)
    graph = helper.make_graph([node], "constant", [crops], [result])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e10])
def test_outputs_that_are_not_finite_or_absurd(toy_bundle, tmp_path, value):
    outputs = np.zeros((2, 62))
    outputs[1, 5] = value
    regressor = Regressor(toy_bundle, model_path=constant_network(tmp_path / "model.onnx", outputs))
    with pytest.raises(ModelError, match="for face 1 that are not finite or absurd"):
        regressor.params_from_crops(np.zeros((2, 120, 120, 3), np.uint8))


def test_outputs_of_another_shape(toy_bundle, tmp_path):
    with pytest.raises(ModelError, match="returns None values"):
        Regressor(toy_bundle, model_path=constant_network(tmp_path / "a.onnx", 3.0, []))


def test_weights_in_another_file_are_not_read(toy_bundle, tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs the extra `train`")
    network = onnx.load(constant_network(tmp_path / "a.onnx", np.zeros((1, 62))))
    tensor = onnx.numpy_helper.from_array(np.zeros((1, 62), np.float32), "weights")
    onnx.external_data_helper.set_external_data(tensor, "weights.bin", 0, 62 * 4)
    tensor.ClearField("raw_data")
    (tmp_path / "weights.bin").write_bytes(bytes(62 * 4))
    del network.graph.node[:]
    network.graph.node.append(onnx.helper.make_node("Identity", ["weights"], ["output"]))
    network.graph.initializer.append(tensor)
    (tmp_path / "b.onnx").write_bytes(network.SerializeToString())
    with pytest.raises(ModelError, match="cannot be loaded as a network"):
        Regressor(toy_bundle, model_path=tmp_path / "b.onnx")
