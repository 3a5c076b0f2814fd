import subprocess
import sys

import pytest

import ddfa


def loaded_after(statement: str) -> set[str]:
    """Return the top-level modules a fresh interpreter holds after a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(run.stdout.split())


def test_import_loads_nothing_heavy():
    assert not loaded_after("import ddfa") & {"numpy", "cv2", "onnxruntime", "numba", "scipy", "tyro", "rich"}


def test_inference_needs_no_training_packages():
    loaded = loaded_after("import ddfa\nddfa.FaceAligner, ddfa.Faces, ddfa.HeadModel, ddfa.Bundle")
    assert not loaded & {"torch", "onnx", "trimesh", "tyro", "numba", "scipy"}


def test_help_of_the_command_loads_no_library():
    loaded = loaded_after("from ddfa.cli import main\nmain(['--help'])")
    assert not loaded & {"numpy", "cv2", "onnxruntime", "numba", "scipy", "rich", "tyro"}


@pytest.mark.parametrize("name", ddfa.__all__)
def test_public_names_resolve(name):
    assert getattr(ddfa, name) is not None
    assert name in dir(ddfa)


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ddfa.nothing
