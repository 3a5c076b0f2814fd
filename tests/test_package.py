import os
import runpy
import subprocess
import sys

import pytest

import ddfa


def loaded_after(statement: str, **environment: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has imported after a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | environment)
    return set(run.stdout.split())


def test_import_loads_nothing_heavy():
    assert not loaded_after("import ddfa") & {"numpy", "cv2", "onnxruntime", "numba", "scipy", "tyro", "rich"}


def test_inference_needs_no_training_packages():
    loaded = loaded_after("import ddfa\nddfa.FaceAligner, ddfa.Faces, ddfa.HeadModel, ddfa.Bundle")
    assert not loaded & {"torch", "onnx", "tyro", "numba", "scipy"}


def test_help_of_the_command_loads_no_library():
    loaded = loaded_after("from ddfa.cli import main\nmain(['--help'])")
    assert not loaded & {"numpy", "cv2", "onnxruntime", "numba", "scipy", "rich", "tyro", "torch"}


def test_align_loads_neither_numba_nor_scipy_nor_torch():
    assert not loaded_after("import ddfa.commands.align") & {"numba", "scipy", "torch"}


def test_nothing_is_left_in_the_users_home(tmp_path):
    home = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    assert "onnxruntime" in loaded_after("import ddfa.align", **home)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ddfa.__all__)
def test_public_names_resolve(name):
    assert getattr(ddfa, name) is not None
    assert name in dir(ddfa)


def test_coverage_is_summed_per_package(root):
    program = runpy.run_path(str(root / "tools" / "coverage_by_package.py"))
    counts = {"src/ddfa/align.py": (9, 8), "src/ddfa/video/io/a.py": (5, 1), "/venv/ddfa/video/b.py": (2, 2)}
    files = {name: {"summary": {"num_statements": n, "covered_lines": k}} for name, (n, k) in counts.items()}
    assert program["lines_by_package"]({"files": files}) == {"(modules)": (9, 8), "video": (7, 3)}


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ddfa.nothing
