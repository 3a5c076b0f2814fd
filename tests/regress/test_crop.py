import cv2
import numpy as np
import pytest

from ddfa.regress.convention import PixelConvention
from ddfa.regress.crop import affine_crop, cut, cut_crops, original_crop


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    return cv2.resize(rng.integers(0, 256, (40, 50, 3), np.uint8), (500, 400), interpolation=cv2.INTER_CUBIC)


def test_whole_pixel_rois_need_no_interpolation(image):
    expected = image[30:150, 100:220]
    np.testing.assert_array_equal(original_crop(image, [100, 30, 220, 150], 120), expected)
    np.testing.assert_array_equal(affine_crop(image, [99.5, 29.5, 219.5, 149.5], 120), expected)


def test_original_corners_round_half_to_even(image):
    np.testing.assert_array_equal(
        original_crop(image, [100.5, 30.5, 220.5, 150.5], 120), original_crop(image, [100, 30, 220, 150], 120)
    )


@pytest.mark.parametrize("crop_one", [original_crop, affine_crop])
def test_outside_is_black(image, crop_one):
    crop = crop_one(image, [-60, -60, 60, 60], 120)
    assert crop[:58].max() == 0 and crop[:, :58].max() == 0 and crop[62:, 62:].min() >= 0
    assert crop_one(image, [-300, -300, -180, -180], 120).max() == 0


@pytest.mark.parametrize("side", [40.0, 120.0, 173.3, 260.0, 391.7])
def test_affine_crop_samples_at_the_positions_of_the_crop_matrix(side):
    """On a linear ramp bilinear sampling and block averages are exact, at any scale and sub-pixel position."""
    y, x = np.mgrid[:500, :500]
    ramp = np.stack([x / 2, y / 2, (x + y) / 4], axis=-1)
    x0, y0 = 40.3, 60.7
    crop = affine_crop(ramp.astype(np.uint8), [x0, y0, x0 + side, y0 + side], 120).astype(float)
    centres = (np.arange(120) + 0.5) * side / 120
    # truncation to uint8 lowers values by a quarter on average, OpenCV's fixed-point weights add 1/32 px
    np.testing.assert_allclose(crop[..., 0], np.tile((x0 + centres) / 2 - 0.25, (120, 1)), atol=0.8)
    np.testing.assert_allclose(crop[..., 1], np.tile((y0 + centres) / 2 - 0.25, (120, 1)).T, atol=0.8)
    assert abs((crop[..., 0] - (x0 + centres) / 2 + 0.25).mean()) < 0.1


def test_large_faces_are_averaged_not_aliased():
    stripes = np.zeros((800, 800, 3), np.uint8)
    stripes[:, ::2] = 200
    crop = affine_crop(stripes, [100, 100, 580, 580], 120)
    assert np.ptp(crop) <= 2 and abs(crop.mean() - 100) < 2


def test_tiny_roi(image):
    assert original_crop(image, [10.1, 10.1, 10.3, 10.3], 120).shape == (120, 120, 3)
    assert affine_crop(image, [10.1, 10.1, 10.3, 10.3], 120).shape == (120, 120, 3)


@pytest.mark.parametrize("convention", PixelConvention)
def test_the_convention_selects_the_crop(image, convention):
    roi = np.array([[100.4, 30.4, 220.4, 150.4], [10.2, 20.3, 300.9, 311.0]])
    crop_one = affine_crop if convention is PixelConvention.OPEN else original_crop
    crops = cut_crops(image, roi, 120, convention)
    assert crops.shape == (2, 120, 120, 3) and cut_crops(image, roi[:0], 120, convention).shape == (0, 120, 120, 3)
    np.testing.assert_array_equal(crops, [crop_one(image, one, 120) for one in roi])


def test_cut_pads_with_zeros(image):
    patch = cut(image, -2, 398, 3, 402)
    assert patch.shape == (4, 5, 3) and not patch[:, :2].any() and not patch[2:].any()
    np.testing.assert_array_equal(patch[:2, 2:], image[398:, :3])
    assert not cut(image, 600, 10, 605, 15).any()
