"""The examples in C++ and JavaScript print what Python computes."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs the extra `train`")

from ddfa.align import FaceAligner
from ddfa.images import read_image
from ddfa.train.convert.full_graph import write_full_graph

NAMES = ["landmarks", "rotation", "blendshapes", "next_box"]


@pytest.fixture(scope="module")
def example(root: Path, tmp_path_factory):
    """A graph, a photo, its first face and the arguments of the box."""
    folder = tmp_path_factory.mktemp("example")
    aligner = FaceAligner(regions=False, any_roll=False)
    image = read_image(root / "samples" / "astronaut.jpg")
    faces = aligner(image)
    write_full_graph(aligner.bundle, folder / "face.onnx", "image", NAMES)
    (folder / "photo.ppm").write_bytes(b"P6\n%d %d\n255\n" % (image.shape[1], image.shape[0]) + image.tobytes())
    return folder, faces, [repr(float(edge)) for edge in faces.boxes[0]]


def assert_is(printed: str, faces, landmarks_px: float) -> None:
    found = json.loads(printed)
    np.testing.assert_allclose(found["landmarks"], faces.landmarks68[0], atol=landmarks_px)
    np.testing.assert_allclose(found["rotation"], faces.rotation[0], atol=0.01)
    weights = found["blendshapes"]
    weights = [weights[name] for name in faces.head.expression_names] if isinstance(weights, dict) else weights
    np.testing.assert_allclose(weights, faces.blendshapes[0], atol=0.01)


def test_cpp(root: Path, example, tmp_path: Path) -> None:
    """With ONNX Runtime for C++ in $ONNXRUNTIME_ROOT, or installed in the system."""
    if not (shutil.which("cmake") and shutil.which("c++")):
        pytest.skip("needs CMake and a C++ compiler")
    onnxruntime = os.environ.get("ONNXRUNTIME_ROOT", "")
    configure = [
        "cmake",
        "-S",
        str(root / "examples" / "cpp"),
        "-B",
        str(tmp_path),
        f"-DONNXRUNTIME_ROOT={onnxruntime}",
    ]
    configured = subprocess.run(configure, check=False, capture_output=True, text=True)
    if "Could not find ONNXRUNTIME" in configured.stderr:
        pytest.skip("needs ONNX Runtime for C++: set ONNXRUNTIME_ROOT")
    assert not configured.returncode, configured.stderr
    subprocess.run(["cmake", "--build", str(tmp_path)], check=True, capture_output=True)
    folder, faces, box = example
    program = [str(tmp_path / "align"), str(folder / "face.onnx")]
    printed = subprocess.run([*program, str(folder / "photo.ppm"), *box], check=True, capture_output=True, text=True)
    assert_is(printed.stdout, faces, 0.02)
    bad = subprocess.run([*program, str(folder / "face.onnx"), *box], check=False, capture_output=True, text=True)
    assert bad.returncode == 2 and "not a binary PPM" in bad.stderr


def test_node(root: Path, example) -> None:
    source = root / "examples" / "node"
    if not shutil.which("node") or not (source / "node_modules").is_dir():
        pytest.skip("needs Node.js, and `npm install` in examples/node")
    folder, faces, box = example
    program = ["node", "align.mjs", str(folder / "face.onnx"), str(root / "samples" / "astronaut.jpg"), *box]
    printed = subprocess.run(program, cwd=source, check=True, capture_output=True, text=True)
    assert_is(printed.stdout, faces, 0.3)  # another JPEG decoder
