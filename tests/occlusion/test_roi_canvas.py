"""The canvas of a replacement: coordinates, cropping and compositing agree."""

import numpy as np
import pytest

from ddfa.occlusion.roi_canvas import RoiCanvas


def test_the_canvas_contains_the_face_with_a_margin() -> None:
    shape = np.array([[20, 30, 0], [70, 90, 5]], np.float32)
    canvas = RoiCanvas.around(shape, 1000)
    assert canvas.scale == 1 and canvas.x0 < 20 and canvas.y0 < 30
    assert canvas.x0 + canvas.width > 70 and canvas.y0 + canvas.height > 90
    assert max(RoiCanvas.around(shape, 32).size) == 32


def test_full_resolution_points_are_shifted_by_whole_pixels() -> None:
    canvas = RoiCanvas(10, 20, 30, 40, 1.0)
    np.testing.assert_allclose(canvas.points(np.array([[10, 20, 3]])), [[0, 0, 3]])


def test_a_reduced_point_keeps_its_position_relative_to_the_corners() -> None:
    canvas = RoiCanvas(10, 20, 30, 40, 0.5)
    corners = np.array([[9.5, 19.5, 0], [39.5, 59.5, 8]])
    np.testing.assert_allclose(canvas.points(corners), [[-0.5, -0.5, 0], [14.5, 19.5, 4]])


@pytest.mark.parametrize("corner", [(5, 6), (-4, -3), (30, 20)])
def test_pasting_a_crop_changes_nothing(corner: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (32, 40, 3)).astype(np.uint8)
    canvas = RoiCanvas(*corner, 16, 18, 1.0)
    before = image.copy()
    part = canvas.cut(image)
    assert part.shape == (18, 16, 3)
    canvas.paste(image, part.astype(np.float32), np.ones((18, 16), np.float32))
    np.testing.assert_array_equal(image, before)


def test_opacity_decides_what_changes() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    opacity = np.zeros((8, 8), np.float32)
    opacity[2:4] = 0.5
    RoiCanvas(4, 5, 8, 8, 1.0).paste(image, np.full((8, 8, 3), 200, np.float32), opacity)
    assert (image[7:9, 4:12] == 100).all() and image.sum() == 100 * 16 * 3


def test_a_canvas_outside_the_image_is_black_and_pastes_nothing() -> None:
    image = np.full((10, 10, 3), 7, np.uint8)
    canvas = RoiCanvas(50, 50, 6, 6, 1.0)
    assert not canvas.cut(image).any()
    canvas.paste(image, np.zeros((6, 6, 3), np.float32), np.ones((6, 6), np.float32))
    assert (image == 7).all()
