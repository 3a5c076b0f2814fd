"""Proposals of cells with faces."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ddfa.detect.proposals import STRIDE, ProposalNetwork, mark, sample
from ddfa.errors import DetectorError
from ddfa.images import read_image


@pytest.fixture(scope="module")
def network() -> ProposalNetwork:
    return ProposalNetwork(threads=1)


@pytest.mark.parametrize("side", [16, 24, 40, 60])
def test_faces_are_proposed_and_little_else(network: ProposalNetwork, root: Path, side: int) -> None:
    photo = read_image(root / "samples" / "astronaut.jpg")[40:200, 150:300]  # the face is 100 px large
    scale = side / 110
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    image = np.full((300, 421, 3), 120, np.uint8)
    image[150 : 150 + len(small), 200 : 200 + small.shape[1]] = small
    cells = network(image)
    assert cells.shape == (38, 54)  # padded to a multiple of 16 px
    y, x = (np.argwhere(cells) + 0.5).T * STRIDE
    centre = np.array([200 + scale * 75, 150 + scale * 80])
    assert (np.hypot(x - centre[0], y - centre[1]) < max(8, side / 2)).any()
    assert cells.mean() < 0.1


@pytest.mark.parametrize("shape", [(1, 1), (7, 500), (192, 192)])
def test_any_size(network: ProposalNetwork, shape: tuple[int, int]) -> None:
    cells = network(np.zeros((*shape, 3), np.uint8))
    assert cells.shape[0] * STRIDE >= shape[0] and cells.shape[1] * STRIDE >= shape[1]


def test_cells_in_boxes_are_marked() -> None:
    cells = np.ones((10, 12), bool)
    mark(cells, np.array([[16, 8, 40, 24], [-50, 60, 12, 500], [200, 200, 300, 300]], np.float32), False)
    wanted = np.ones((10, 12), bool)
    wanted[1:3, 2:5] = False
    wanted[7:, :2] = False  # the centre of the second column is at x = 12
    np.testing.assert_array_equal(cells, wanted)


def test_sample_of_an_image() -> None:
    rows, columns = np.mgrid[:600, :1000]
    part = sample(np.stack([rows // 256, columns // 256, rows % 256], axis=2).astype(np.uint8))
    assert part.shape == (128, 192, 3)
    for row, column in np.ndindex(2, 3):
        square = part[64 * row : 64 * row + 64, 64 * column : 64 * column + 64]
        assert (square[..., :2] == [row, column]).all()
        assert square[..., 2].min() == 96 and square[..., 2].max() == 159
    assert sample(np.zeros((255, 3000, 3), np.uint8)).size == 0
    assert sample(np.zeros((75, 125), np.uint8), 32).shape == (16, 24)


def test_altered_weights(tmp_path: Path) -> None:
    (tmp_path / "network.onnx").write_bytes(b"altered")
    with pytest.raises(DetectorError, match="SHA-256"):
        ProposalNetwork(weights=tmp_path / "network.onnx")
