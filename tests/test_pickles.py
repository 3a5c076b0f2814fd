import os
import pickle

import numpy as np
import pytest

from ddfa.errors import ModelError
from ddfa.pickles import load_arrays


class _Attack:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_plain_containers_are_read(tmp_path, protocol):
    content = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3, order="F"),
        "b": [1, 2.5, "x", (None, True)],
        "c": np.float32(3),
    }
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(content, protocol))
    read = load_arrays(path)
    np.testing.assert_array_equal(read["a"], content["a"])
    assert read["b"] == content["b"] and read["c"] == 3


@pytest.mark.parametrize("attack", [_Attack(os.system, "touch pwned"), _Attack(eval, "1"), np.load, {1, 2}.__class__])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_anything_else_is_refused_by_name(tmp_path, monkeypatch, attack, protocol):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "attack.pkl"
    path.write_bytes(pickle.dumps({"u": np.zeros(3), "w": attack}, protocol))
    with pytest.raises(ModelError, match=r"attack\.pkl: refused: it refers to '\w+\.\w+'"):
        load_arrays(path)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("content", [b"", b"\x80", b"not a pickle", pickle.dumps(np.zeros(100))[:60]])
def test_damaged_files_are_one_clear_error(tmp_path, content):
    path = tmp_path / "damaged.pkl"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not a readable pickle"):
        load_arrays(path)


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match="cannot read"):
        load_arrays(tmp_path / "none.pkl")
