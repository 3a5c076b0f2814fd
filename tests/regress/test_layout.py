import numpy as np
import pytest

from ddfa.errors import ModelError
from ddfa.regress.layout import ParamLayout
from ddfa.regress.whitening import Whitening


def test_open_layout_is_the_default():
    assert ParamLayout().size == 144
    assert ParamLayout(identity=40, expression=10).size == 62


def test_split_and_join_are_inverse():
    layout = ParamLayout(identity=40, expression=10)
    params = np.random.default_rng(0).normal(size=(4, 62)).astype(np.float32)
    parts = layout.split(params)
    assert parts.pose.shape == (4, 3, 4)
    np.testing.assert_array_equal(parts.pose[:, :, 3], params[:, [3, 7, 11]])
    np.testing.assert_array_equal(layout.join(*parts), params)


def test_wrong_length_is_an_error():
    with pytest.raises(ModelError, match="62"):
        ParamLayout(identity=40, expression=10).split(np.zeros((1, 61), np.float32))


def test_whitening_round_trip_and_errors():
    rng = np.random.default_rng(0)
    whitening = Whitening(rng.normal(size=62).astype(np.float32), np.full(62, 2, np.float32))
    params = rng.normal(size=(3, 62)).astype(np.float32)
    np.testing.assert_allclose(whitening.dewhiten(whitening.whiten(params)), params, atol=1e-6)
    with pytest.raises(ModelError, match="positive"):
        Whitening(np.zeros(2, np.float32), np.zeros(2, np.float32))
