"""Turned patches and poses: a face in the turned crop is where it is in the image."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.regress.convention import PixelConvention
from ddfa.regress.turned import turn_pose, turned_patch

ANGLES = st.floats(-180, 180)


def clockwise(points: np.ndarray, degrees: float, centre: np.ndarray) -> np.ndarray:
    """Turn image points (K, 2) about a centre."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return (points - centre) @ np.array([[c, -s], [s, c]]).T + centre


@given(ANGLES, st.sampled_from(PixelConvention), st.integers(0, 99))
def test_turned_poses_turn_the_points_about_the_centre_of_the_roi(
    angle: float, convention: PixelConvention, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    points, pose = rng.normal(size=(1, 20, 3)).astype(np.float32), rng.normal(0, 20, (1, 3, 4))
    roi = np.array([[30.0, 50.0, 230.0, 250.0]])
    upright = convention.place(points.copy(), pose, roi, 120)[0]
    turned = convention.place(points.copy(), turn_pose(pose, np.array([angle]), 120, convention), roi, 120)[0]
    np.testing.assert_allclose(turned[:, :2], clockwise(upright[:, :2], angle, np.array([130, 150])), atol=2e-2)
    np.testing.assert_allclose(turned[:, 2], upright[:, 2], atol=2e-2)


def test_upright_poses_do_not_change() -> None:
    pose = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    for convention in PixelConvention:
        np.testing.assert_array_equal(turn_pose(pose, np.zeros(2), 120, convention).astype(np.float32), pose)


@pytest.mark.parametrize("side", [60, 151, 900])
@pytest.mark.parametrize("angle", [0, 37, 90, -135, 180])
def test_patches_show_the_turned_image(side: int, angle: float) -> None:
    """The image is a smooth function of position, so every pixel of the patch tells where it comes from."""
    size = 1400
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    image = np.stack([x * 255 / size, y * 255 / size, 0 * x], axis=2).astype(np.float32)
    image = np.asarray(np.rint(image), np.uint8)
    centre = np.array([701.3, 660.8])
    roi = np.concatenate([centre - side / 2, centre + side / 2])
    patch, own = turned_patch(image, roi, angle, 50)
    middle, zoom = (own[:2] + own[2:]) / 2, side / (own[2] - own[0])
    assert zoom == pytest.approx(max(1, side // 100 if side >= 200 else 1), rel=0.02)
    px, py = np.meshgrid(np.arange(6, patch.shape[1] - 6), np.arange(6, patch.shape[0] - 6))
    there = clockwise(zoom * (np.stack([px, py], axis=-1).reshape(-1, 2) - middle) + centre, angle, centre)
    seen = patch[6:-6, 6:-6, :2].reshape(-1, 2) * (size / 255)
    assert np.abs(seen - there).max() < 6  # px; one grey value is 5.5
    assert np.abs((seen - there).mean(axis=0)).max() < 1.5


def test_outside_the_image_patches_are_black() -> None:
    image = np.full((100, 100, 3), 200, np.uint8)
    patch, _ = turned_patch(image, np.array([60.0, 60, 140, 140]), 45, 60)
    assert (patch == 0).mean() > 0.4 and (patch == 200).mean() > 0.15
    whole = turned_patch(image, np.array([20.0, 20, 80, 80]), 0, 60)[0]
    np.testing.assert_array_equal(whole[4:-4, 4:-4], cv2.resize(image, (60, 60)))
