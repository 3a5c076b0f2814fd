"""NCNN, as docs/onnx.md describes it: the network converted by pnnx computes the same."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

ncnn = pytest.importorskip("ncnn", reason="needs the packages ncnn and pnnx")
if find_spec("pnnx") is None:
    pytest.skip("needs the package pnnx", allow_module_level=True)

from ddfa.align import FaceAligner  # noqa: E402
from ddfa.images import read_image  # noqa: E402
from ddfa.regress.crop import cut_crops  # noqa: E402
from ddfa.regress.session import network_inputs  # noqa: E402
from ddfa.sessions import open_session, session_options  # noqa: E402


def test_the_converted_network_computes_the_same(root: Path, tmp_path: Path) -> None:
    aligner, image = FaceAligner(threads=1, regions=False), read_image(root / "samples" / "test1.jpg")
    faces = aligner(image)
    inputs = network_inputs(cut_crops(image, faces.roi, faces.crop_size, faces.convention), "RGB")
    (tmp_path / "model.onnx").write_bytes(aligner.bundle.model_path.read_bytes())
    # The program, not the module, which imports torch.
    program = Path(find_spec("pnnx").submodule_search_locations[0]) / "pnnx"
    side = aligner.bundle.input_size
    shape = f"inputshape=[1,3,{side},{side}]f32"
    subprocess.run([program, "model.onnx", shape, "fp16=0"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)

    network = ncnn.Net()
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
        setattr(network.opt, option, False)
    network.load_param(str(tmp_path / "model.ncnn.param"))
    network.load_model(str(tmp_path / "model.ncnn.bin"))
    expected = open_session(str(aligner.bundle.model_path), session_options(threads=1)).run(None, {"input": inputs})
    for number, crop in enumerate(inputs):
        run = network.create_extractor()
        run.input("in0", ncnn.Mat(np.ascontiguousarray(crop)).clone())
        for name, output in zip(("out0", "out1"), expected, strict=True):
            np.testing.assert_allclose(np.array(run.extract(name)[1]), output[number], atol=1e-4)
