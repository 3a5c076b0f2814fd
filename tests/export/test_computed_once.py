"""Whatever is saved of a photo, nothing is decoded or rasterised twice."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ddfa.export.face_files import FaceFiles
from ddfa.export.kinds import KINDS
from ddfa.head.linear import LinearPoints
from ddfa.head.model import HeadModel
from ddfa.raster import rasterize

from ..face_factory import place_faces


@pytest.fixture
def head() -> HeadModel:
    return HeadModel.load()


@pytest.fixture
def decodes(monkeypatch, head) -> Counter:
    """Counts the decodes of the dense mesh by their coefficients."""
    counted: Counter = Counter()
    original = LinearPoints.decode

    def decode(self, identity, expression):
        if len(self.mean) == head.vertices:
            counted[identity.tobytes(), expression.tobytes()] += 1
        return original(self, identity, expression)

    monkeypatch.setattr(LinearPoints, "decode", decode)
    return counted


@pytest.fixture
def rasterisations(monkeypatch) -> Counter:
    """Counts the runs of the rasteriser's kernel by what they draw."""
    counted: Counter = Counter()
    original = rasterize.fill

    def fill(points, corners, cull, first, stop, *arrays):
        counted[points.tobytes(), corners.shape, first, stop, arrays[0].shape] += 1
        original(points, corners, cull, first, stop, *arrays)

    monkeypatch.setattr(rasterize, "fill", fill)
    return counted


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("angles", [((20.0, 0.0, 0.0),), ((20.0, 0.0, 0.0), (-10.0, 5.0, 0.0))])
def test_everything_saved(head, decodes, rasterisations, tmp_path: Path, angles, order) -> None:
    pytest.importorskip("pxr", reason="needs the extra `usd`")
    faces = place_faces(head, angles)
    params = faces.params.copy()
    params[:, 12] = np.arange(len(faces))  # different people, each with an expression
    params[:, -1] = 0.5
    faces = replace(faces, params=params)
    photo = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    files = FaceFiles(faces, photo, Path("photo.jpg"), texture_size=64)
    files.write_all(list(KINDS)[::order], tmp_path / "x")
    # The posed meshes of all faces at once; per face the neutral mesh of GLB and USD, and that of the frontal view.
    assert sum(decodes.values()) == 1 + 2 * len(faces)
    assert set(rasterisations.values()) == {1}
