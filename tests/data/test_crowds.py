"""Sheets for the proposal network."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ddfa.data.crowds import BACKGROUND, NEITHER, SIDE, CrowdSheets, proposal_labels
from ddfa.detect.proposals import STRIDE
from ddfa.detect.yunet import NMS_OVERLAP, WEIGHTS
from ddfa.detect.yunet_network import YuNetNetwork
from ddfa.images import read_image


@pytest.fixture(scope="module")
def crowds(root: Path) -> CrowdSheets:
    face = read_image(root / "samples" / "astronaut.jpg")[20:220, 125:325]
    return CrowdSheets([face], [np.full((300, 400, 3), 90, np.uint8)])


def test_sheets_follow_from_the_seed(crowds: CrowdSheets) -> None:
    sheets = [crowds.draw(np.random.default_rng(seed)) for seed in (0, 0, *range(1, 12))]
    assert all(sheet.shape == (SIDE, SIDE, 3) and sheet.dtype == np.uint8 for sheet in sheets)
    np.testing.assert_array_equal(sheets[0], sheets[1])
    assert (sheets[1] != sheets[2]).any()


def test_labels_are_what_yunet_finds(root: Path) -> None:
    sheet = np.full((SIDE, SIDE, 3), 120, np.uint8)
    photo = read_image(root / "samples" / "astronaut.jpg")[40:200, 150:300]
    sheet[100:180, 56:131] = cv2.resize(photo, (75, 80), interpolation=cv2.INTER_AREA)
    cells, sides = proposal_labels(sheet, YuNetNetwork(WEIGHTS.read_bytes(), 0.3, NMS_OVERLAP, 1), 0.6)
    assert cells.shape == (SIDE // STRIDE, SIDE // STRIDE) and len(sides) == 1 and 45 < sides[0] < 70
    assert cells[140 // STRIDE, 93 // STRIDE] == 0  # the middle of the face
    assert NEITHER in cells[112 // STRIDE : 124 // STRIDE, 93 // STRIDE]  # the forehead
    assert cells[5, 5] == BACKGROUND
