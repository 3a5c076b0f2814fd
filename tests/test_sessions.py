import onnxruntime as ort
import pytest

from ddfa.align import FaceAligner
from ddfa.cli import main
from ddfa.errors import ModelError
from ddfa.sessions import open_session, session_options

CUDA = "CUDAExecutionProvider"


@pytest.fixture
def without_cuda(monkeypatch):
    """ONNX Runtime without CUDA, whatever is installed."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])


def test_a_missing_gpu_is_explained(toy_bundle, without_cuda):
    with pytest.raises(ModelError, match="onnxruntime-gpu"):
        FaceAligner(toy_bundle, device="cuda")


def test_a_gpu_that_does_not_start_is_an_error(toy_bundle, monkeypatch):
    class Fallen:
        def __init__(self, *_, providers):
            assert providers == [CUDA, "CPUExecutionProvider"]

        def get_providers(self):
            return ["CPUExecutionProvider"]

    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, "CPUExecutionProvider"])
    monkeypatch.setattr(ort, "InferenceSession", Fallen)
    with pytest.raises(ModelError, match="failed to start"):
        open_session(str(toy_bundle.model_path), session_options(1), "cuda")


def test_the_command_line_explains_a_missing_gpu(root, tmp_path, capsys, without_cuda):
    photo = root / "samples" / "astronaut.jpg"
    assert main(["align", str(photo), "-o", str(tmp_path / "out"), "--device", "cuda"]) == 2
    assert "onnxruntime-gpu" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_zero_threads_are_an_error():
    with pytest.raises(ModelError, match="0 threads"):
        session_options(0)
