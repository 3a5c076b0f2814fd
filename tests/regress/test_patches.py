import cv2
import numpy as np
import pytest

from ddfa.geometry.pose import matrix_from_euler
from ddfa.regress.patches import (
    EYE_SIDE,
    MOUTH_SIDE,
    cut_patches,
    eye_patches,
    mirrored,
    mouth_patches,
    sides_in_image,
)


def _landmarks(roll_deg: float = 0.0, distance: float = 60.0) -> np.ndarray:
    """Landmarks (1, 68, 2) whose eyes are points at ±distance / 2, with a nose between and below them."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = [-distance / 2, 0], [distance / 2, 0]
    points[31:36] = [0, 0.7 * distance]
    angle = np.deg2rad(roll_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (points @ turn.T + [200, 150])[None]


FRONT = np.eye(3)[None]


def test_eye_lies_below_the_middle_of_its_patch_by_its_share():
    affines = eye_patches(_landmarks(), FRONT)
    for k, eye in enumerate(([230, 150], [170, 150])):
        x, y = affines[0, k, :, :2] @ eye + affines[0, k, :, 2]
        assert x == pytest.approx((EYE_SIDE - 1) / 2)
        assert y == pytest.approx((EYE_SIDE - 1) / 2 + 0.12 * EYE_SIDE)
    np.testing.assert_allclose(sides_in_image(affines, EYE_SIDE), 0.95 * 60)


def test_patches_are_level_with_the_eyes():
    for roll in (-40.0, 25.0):
        affines = eye_patches(_landmarks(roll), FRONT)
        for k, turned in ((0, 1), (1, -1)):
            line = affines[0, k, :, :2] @ (_landmarks(roll)[0, 42] - _landmarks(roll)[0, 36])
            assert line[0] * turned > 0
            assert line[1] == pytest.approx(0, abs=1e-9)


def test_right_eye_of_a_mirrored_face_gives_the_same_patch_as_the_left_one():
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (300, 401, 3)).astype(np.uint8)
    landmarks = _landmarks(12.0)
    order = np.r_[0:36, 42:48, 36:42, 48:68]
    flipped = (landmarks * [-1, 1] + [400, 0])[:, order]
    plain, other = eye_patches(landmarks, FRONT)[0], eye_patches(flipped, FRONT)[0]
    left = cut_patches([image], plain[:1], EYE_SIDE)[0].astype(int)
    right = cut_patches([np.ascontiguousarray(image[:, ::-1])], other[1:], EYE_SIDE)[0].astype(int)
    assert np.abs(left - right).max() <= 24  # OpenCV warps to a 32nd of a px
    assert np.abs(left - right).mean() < 3


def test_a_turned_head_has_patches_as_large_as_a_frontal_one():
    turned = matrix_from_euler(np.array([[50.0, 0.0, 0.0]]))
    narrow = _landmarks(distance=60 * np.cos(np.deg2rad(50)))
    np.testing.assert_allclose(sides_in_image(eye_patches(narrow, turned), EYE_SIDE), 57.0)
    np.testing.assert_allclose(sides_in_image(mouth_patches(narrow, turned), MOUTH_SIDE), 90.0)


def test_mirroring_twice_changes_nothing():
    affines = mouth_patches(_landmarks(20.0), FRONT)
    np.testing.assert_allclose(mirrored(mirrored(affines, MOUTH_SIDE), MOUTH_SIDE), affines, atol=1e-9)


def test_large_faces_are_averaged_before_they_are_cut():
    y, x = np.mgrid[:1200, :1600]
    smooth = np.stack([x / 8, y / 8, (x + y) / 16], axis=-1).clip(0, 255).astype(np.uint8)
    noisy = smooth.copy()
    noisy[::2] = 255 - noisy[::2]
    landmarks = (_landmarks(8.0, 400.0) - [200, 150]) + [800, 500]
    affines = eye_patches(landmarks, FRONT)[0]
    assert (sides_in_image(affines, EYE_SIDE) > 6 * EYE_SIDE).all()
    for affine, patch in zip(affines, cut_patches([smooth] * 2, affines, EYE_SIDE), strict=True):
        exact = cv2.warpAffine(smooth, affine, (EYE_SIDE, EYE_SIDE), borderMode=cv2.BORDER_REPLICATE)
        assert np.abs(patch.astype(int) - exact).max() <= 3
    assert cut_patches([noisy] * 2, affines, EYE_SIDE).astype(int).std() < 12  # no stripes are left


def test_patches_partly_or_wholly_outside_continue_the_border():
    image = np.full((64, 64, 3), 90, np.uint8)
    for shift in (0.0, 60.0, 5000.0, -5000.0):
        for distance in (3.0, 60.0, 900.0):
            affines = eye_patches(_landmarks(0, distance) + shift, FRONT)[0]
            patches = cut_patches([image] * 2, affines, EYE_SIDE)
            assert patches.shape == (2, EYE_SIDE, EYE_SIDE, 3)
            assert (patches == 90).all()
