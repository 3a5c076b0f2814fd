"""Fixtures shared by all tests."""

from pathlib import Path

import numpy as np
import pytest

from ddfa.head.model import HeadModel

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Development data that is not part of the project; tests that need it skip without it."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("needs the development data in ../shared/data")
    return path


@pytest.fixture(scope="session")
def reference() -> Path:
    """The published files that `make reference` fetches."""
    path = ROOT / "reference"
    if not (path / "mb1_120x120.onnx").is_file():
        pytest.skip("needs the published files: run `make reference`")
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
