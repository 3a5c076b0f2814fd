import numpy as np
import pytest

from ddfa.errors import ModelError
from ddfa.regress.layout import ParamLayout


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
