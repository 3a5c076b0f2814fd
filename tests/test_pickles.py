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
    with pytest.raises(ModelError, match="does not exist"):
        load_arrays(tmp_path / "none.pkl")


def _with_state(path, shape=(2,), dtype_state=(3, "<", None, None, None, -1, -1, 0), data=bytes(16), spec="f8"):
    """A pickle of an array with any state, as the protocol allows."""

    class Dtype:
        def __reduce__(self):
            return np.dtype, (spec, False, True), dtype_state

    class Array:
        def __reduce__(self):
            return np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), (1, shape, Dtype(), False, data)

    path.write_bytes(pickle.dumps({"a": Array()}))
    return path


def test_states_are_those_of_numpy(tmp_path):
    read = load_arrays(_with_state(tmp_path / "a.pkl", data=np.array([1.5, -2]).tobytes()))
    np.testing.assert_array_equal(read["a"], [1.5, -2])
    big = load_arrays(
        _with_state(tmp_path / "b.pkl", dtype_state=(3, ">", None, None, None, -1, -1, 0),
                    data=np.array([1.5, -2], ">f8").tobytes())
    )  # fmt: skip
    np.testing.assert_array_equal(big["a"], [1.5, -2])
    assert big["a"].dtype.isnative and not big["a"].flags.writeable


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": (1000,)}, {"shape": (-1,)}, {"shape": (2**62, 2**62)}, {"shape": (True, 2)}, {"shape": [2]},
        {"shape": (1,) * 40}, {"data": [None, None]}, {"data": bytes(15)}, {"spec": "O8"}, {"spec": "V16"},
        {"spec": "S8"}, {"spec": "f8,f8"}, {"spec": 5},
        {"dtype_state": (3, "<", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 63)},
        {"dtype_state": (3, "<", None, None, None, 10**9, -1, 0)},
        {"dtype_state": (3, "<", None, None, None, -1, -1, 63)},
        {"dtype_state": (3, "<", (np.dtype("f8"), (10**6,)), None, None, -1, -1, 0)},
        {"dtype_state": ()}, {"dtype_state": 7},
    ],
    ids=str,
)  # fmt: skip
def test_states_that_lie_are_refused(tmp_path, changes):
    with pytest.raises(ModelError, match=r"lie\.pkl: refused"):
        load_arrays(_with_state(tmp_path / "lie.pkl", **changes))


@pytest.mark.parametrize(
    "content",
    [
        b"cnumpy\nndarray\n.",  # the class itself
        b"cnumpy\nndarray\n)\x81.",  # an instance without state
        b"cnumpy.core.multiarray\n_reconstruct\n.",
        b"]q\x00h\x00a.",  # a list that contains itself
        b"c_codecs\nencode\n(V" + b"\xc3\xa9" * 5 + b"\nVpunycode\ntR.",
        b"cnumpy\ndtype\n(Vf8\ntR}b.",
        b"cnumpy.core.multiarray\n_reconstruct\n}(V__call__\nK\x01ub.",  # sets an attribute of the stand-in
    ],
)
def test_other_uses_of_the_allowed_names_are_refused(tmp_path, content):
    path = tmp_path / "odd.pkl"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"odd\.pkl"):
        load_arrays(path)


def test_a_number_of_a_memo_reserves_no_memory(tmp_path):
    path = tmp_path / "memo.pkl"
    path.write_bytes(b"K\x01r\xff\xff\xff\x7f.")
    assert load_arrays(path) == 1


def test_folders_and_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.pkl")
    for path in (tmp_path, tmp_path / "pipe.pkl"):
        with pytest.raises(ModelError, match=r"a folder|a pipe"):
            load_arrays(path)


def test_deep_nesting_is_one_clear_error(tmp_path):
    path = tmp_path / "deep.pkl"
    path.write_bytes(b"]" + b"]" * 100_000 + b"a" * 100_000 + b".")
    with pytest.raises(ModelError, match=r"deep\.pkl"):
        load_arrays(path)


def test_cases_that_crashed(shared_data):
    for path in sorted((shared_data.parent / "cases" / "pickles").glob("*.pkl")):
        with pytest.raises(ModelError, match=path.name):
            load_arrays(path)
