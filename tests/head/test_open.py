import numpy as np
import pytest

from ddfa.errors import ModelError, OutputError
from ddfa.head.model import HeadModel
from ddfa.head.open import save_npz


@pytest.mark.parametrize(("quantise", "tolerance"), [(None, 0), (np.int16, 3e-4), (np.int8, 0.05)])
def test_npz_round_trip(toy_head, tmp_path, quantise, tolerance):
    path = tmp_path / "head.npz"
    save_npz(toy_head, path, quantise)
    head = HeadModel.load(path)
    np.testing.assert_array_equal(head.mean, toy_head.mean)
    assert head.expression_names == toy_head.expression_names and head.licence == "test"
    assert head.regions.keys() == {"skin"}
    assert np.abs(head.identity_basis - toy_head.identity_basis).max() <= tolerance
    np.testing.assert_array_equal(head.uv_triangles, toy_head.uv_triangles)


def test_damaged_npz(toy_head, tmp_path):
    path = tmp_path / "head.npz"
    save_npz(toy_head, path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match="not a readable head model"):
        HeadModel.load(path)
    np.savez(path, mean=np.zeros((3, 3)))
    with pytest.raises(ModelError, match="not a complete head model"):
        HeadModel.load(path)


def test_unwritable_place_leaves_nothing(toy_head, tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        save_npz(toy_head, tmp_path / "missing" / "head.npz")
