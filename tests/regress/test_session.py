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
