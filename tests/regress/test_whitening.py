import numpy as np
import pytest

from ddfa.errors import ModelError
from ddfa.regress.whitening import Whitening


def test_whitened_parameters_have_mean_0_and_standard_deviation_1():
    params = np.random.default_rng(0).normal(5, 3, (50, 4))
    whitening = Whitening(params.mean(axis=0).astype(np.float32), params.std(axis=0).astype(np.float32))
    whitened = whitening.whiten(params)
    assert whitened.dtype == np.float32
    np.testing.assert_allclose(whitened.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(whitened.std(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(whitening.dewhiten(whitened), params, atol=1e-5)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ([0, 0], [1, 0], "positive"),
        ([0, 0], [1, -1], "positive"),
        ([0, np.nan], [1, 1], "finite"),
        ([0, 0], [1, np.inf], "finite"),
        ([0, 0], [1, 1, 1], "vectors of one length"),
        ([[0, 0]], [[1, 1]], "vectors of one length"),
    ],
)
def test_invalid_values(mean, std, message):
    with pytest.raises(ModelError, match=message):
        Whitening(np.float32(mean), np.float32(std))
