"""Networks of unknown origin cannot take this process down, nor keep it waiting for ever."""

import numpy as np
import pytest

from ddfa import networks
from ddfa.errors import ModelError
from ddfa.networks import LIMIT_VARIABLE, open_network

onnx = pytest.importorskip("onnx", reason="needs the extra `train`")
helper = onnx.helper
FLOAT, INT, BOOL = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL


@pytest.fixture(autouse=True)
def trials(monkeypatch):
    """Networks are tried as outside of tests, and none has been tried before."""
    monkeypatch.setenv(LIMIT_VARIABLE, "60")
    monkeypatch.setattr(networks, "_TRIED", set())


def write(path, nodes, constants=()):
    """A network from `input` (n, 4) to `output`."""
    known = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants]
    values = [helper.make_tensor_value_info(name, FLOAT, ["n", 4]) for name in ("input", "output")]
    graph = helper.make_graph(nodes, "toy", values[:1], values[1:], known)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def endless(path):
    """A network that counts to the largest number."""
    inner = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Sin", ["value"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("i", INT, []),
            helper.make_tensor_value_info("go", BOOL, []),
            helper.make_tensor_value_info("value", FLOAT, ["n", 4]),
        ],
        [helper.make_tensor_value_info("on", BOOL, []), helper.make_tensor_value_info("next", FLOAT, ["n", 4])],
    )
    loop = helper.make_node("Loop", ["count", "start", "input"], ["output"], body=inner)
    return write(path, [loop], [("count", np.int64(2**63 - 1)), ("start", np.bool_(True))])


def test_a_network_is_tried_once(tmp_path, monkeypatch):
    path = write(tmp_path / "good.onnx", [helper.make_node("Sin", ["input"], ["output"])])
    session = open_network(path, 1)
    assert session.run(None, {"input": np.zeros((2, 4), np.float32)})[0].shape == (2, 4)
    monkeypatch.setattr(networks, "module_command", lambda *_: pytest.fail("tried again"))
    open_network(path, 1)


def test_a_network_without_end_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv(LIMIT_VARIABLE, "8")
    with pytest.raises(ModelError, match=rf"endless\.onnx takes longer than 8 s .*: .*{LIMIT_VARIABLE}"):
        open_network(endless(tmp_path / "endless.onnx"), 1)


def test_a_network_that_ends_its_process_is_one_clear_error(tmp_path, monkeypatch):
    path = write(tmp_path / "deadly.onnx", [helper.make_node("Sin", ["input"], ["output"])])
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    python = networks.module_command("ddfa.networks")[0]
    monkeypatch.setattr(networks, "module_command", lambda *_: [python, "-c", code])
    with pytest.raises(ModelError, match=r"deadly\.onnx ends the process that loads it \(signal 11\)"):
        open_network(path, 1)


def test_what_cannot_be_loaded_or_run_is_one_clear_error(tmp_path):
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(ModelError, match=r"text\.onnx cannot be loaded as a network \("):
        open_network(tmp_path / "text.onnx", 1)
    reshape = helper.make_node("Reshape", ["input", "shape"], ["output"])
    path = write(tmp_path / "wrong.onnx", [reshape], [("shape", np.array([7, 7], np.int64))])
    with pytest.raises(ModelError, match=r"wrong\.onnx cannot be loaded as a region network \("):
        open_network(path, 1, what="a region network")


@pytest.mark.parametrize("text", ["soon", "-1", "inf", "nan", ""])
def test_a_limit_that_is_no_number(tmp_path, monkeypatch, text):
    monkeypatch.setenv(LIMIT_VARIABLE, text)
    with pytest.raises(ModelError, match=LIMIT_VARIABLE):
        open_network(write(tmp_path / "any.onnx", [helper.make_node("Sin", ["input"], ["output"])]), 1)
