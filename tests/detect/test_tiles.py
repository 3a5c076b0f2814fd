"""Tiles over proposed cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.detect.proposals import STRIDE
from ddfa.detect.tiles import Tiles


def test_no_cells_need_no_tiles() -> None:
    assert len(Tiles.covering(np.zeros((20, 30), bool), (240, 160))) == 0


def test_distant_cells_get_tiles_of_their_own() -> None:
    cells = np.zeros((128, 128), bool)
    cells[20, 20] = cells[100, 110] = True
    tiles = Tiles.covering(cells, (1024, 1024))
    assert len(tiles) == 2 and np.prod(tiles.size) < 0.05 * 1024**2


@pytest.mark.parametrize("every", [2, 7])
def test_crowds_are_searched_as_a_whole(every: int) -> None:
    cells = np.zeros((128, 100), bool)
    cells[::every, ::every] = True
    tiles = Tiles.covering(cells, (799, 1021))
    np.testing.assert_array_equal(tiles.boxes, [[0, 0, 799, 1021]])
    image = np.random.default_rng(0).integers(0, 256, (1021, 799, 3), np.uint8)
    np.testing.assert_array_equal(tiles.sheet(image), image)


@given(
    st.integers(1, 700), st.integers(1, 700), st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=8)
)  # fmt: skip
def test_a_sheet_contains_the_surroundings_of_every_cell(height: int, width: int, places: list) -> None:
    cells = np.zeros((-(-height // STRIDE), -(-width // STRIDE)), bool)
    chosen = [(int(v * (len(cells) - 1)), int(u * (cells.shape[1] - 1))) for v, u in places]
    for place in chosen:
        cells[place] = True
    tiles = Tiles.covering(cells, (width, height))
    boxes = tiles.boxes
    assert (boxes[:, :2] % STRIDE == 0).all() and (tiles.places % STRIDE == 0).all()
    assert (boxes >= 0).all() and (boxes[:, 2:] <= [width, height]).all() and (boxes[:, :2] < boxes[:, 2:]).all()
    assert np.prod(tiles.size) <= width * height
    for row, column in chosen:
        around = np.array([column, row, column + 1, row + 1]) * STRIDE + [-24, -24, 24, 24]
        around = np.clip(around, 0, [width, height, width, height])
        assert ((boxes[:, :2] <= around[:2]) & (boxes[:, 2:] >= around[2:])).all(axis=1).any()
    image = np.arange(1, height * width + 1).reshape(height, width, 1) % 251 + np.array([1, 2, 3])
    if len(tiles):
        sheet = tiles.sheet(image.astype(np.uint8))
        for (x0, y0, x1, y1), (x, y) in zip(boxes, tiles.places, strict=True):
            np.testing.assert_array_equal(sheet[y : y + y1 - y0, x : x + x1 - x0], image[y0:y1, x0:x1])


def test_boxes_return_to_the_image_and_cut_ones_are_told() -> None:
    cells = np.zeros((128, 128), bool)
    cells[0, 0] = cells[60, 70] = True
    tiles = Tiles.covering(cells, (1024, 1024))
    corners, middle = tiles.boxes[tiles.boxes[:, 0].argsort()], np.array([564.0, 484.0])
    np.testing.assert_array_equal(corners[0], [0, 0, 32, 32])
    at = tiles.places[tiles.boxes[:, 0] > 0][0] - corners[1, :2]
    face = np.concatenate([middle - 10, middle + 10])
    beyond = np.concatenate([middle - 80, middle + 80])  # reaches beyond its tile
    first = tiles.places[tiles.boxes[:, 0] == 0][0]
    border = np.concatenate([first - 5, first + 15])  # reaches beyond the image, not cut by its tile
    boxes, whole = tiles.in_image(np.array([face + np.tile(at, 2), beyond + np.tile(at, 2), border], np.float32))
    np.testing.assert_allclose(boxes[0], face)
    np.testing.assert_allclose(boxes[2], [-5, -5, 15, 15])
    np.testing.assert_array_equal(whole, [True, False, True])
