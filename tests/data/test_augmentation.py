import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddfa.data.augmentation import Augmentation, degrade, random_crop_affine, warp

KINDS = ("colour", "grey", "shade", "blur", "sharpen", "shrink", "jpeg", "noise", "occlude")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_crops_are_similarities_that_keep_the_face_inside(seed):
    rng = np.random.default_rng(seed)
    landmarks = rng.uniform(20, 90, (68, 2))
    affine, mirrored = random_crop_affine(landmarks, 120, Augmentation(), rng)
    linear = affine[:, :2]
    zoom = np.sqrt(abs(np.linalg.det(linear)))
    np.testing.assert_allclose(linear @ linear.T, zoom**2 * np.eye(2), atol=1e-9)
    assert (np.linalg.det(linear) < 0) == mirrored
    crop = landmarks @ linear.T + affine[:, 2]
    assert abs(crop.mean() - 59.5) < 40


def test_without_variation_the_crop_is_the_landmark_roi():
    landmarks = np.random.default_rng(0).uniform(20, 90, (68, 2))
    still = Augmentation(roll_deg=0, scale=0, shift=0, mirror=0)
    affine, mirrored = random_crop_affine(landmarks, 120, still, np.random.default_rng(0))
    crop = landmarks @ affine[:, :2].T + affine[:, 2]
    assert not mirrored
    np.testing.assert_allclose((crop.min(axis=0) + crop.max(axis=0)) / 2, 59.5)
    assert np.ptp(crop, axis=0).max() == pytest.approx(120 / np.sqrt(2))


@pytest.mark.parametrize("kind", KINDS)
def test_each_degradation_changes_the_crop(kind):
    rng = np.random.default_rng(1)
    crop = np.kron(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8), np.ones((12, 12, 1), np.uint8))
    off = dict.fromkeys(KINDS, 0.0)
    same = degrade(crop, Augmentation(**off), np.random.default_rng(2))
    np.testing.assert_array_equal(same, crop)
    changed = degrade(crop, Augmentation(**(off | {kind: 1.0})), np.random.default_rng(2))
    assert changed.shape == crop.shape and changed.dtype == np.uint8
    assert not np.array_equal(changed, crop)


def test_warp_identity_returns_the_picture():
    photo = np.random.default_rng(0).integers(0, 255, (50, 50, 3), dtype=np.uint8)
    identity = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    np.testing.assert_array_equal(warp(photo, identity, 50, np.random.default_rng(0)), photo)


def test_a_large_face_is_averaged_down_in_place():
    photo = np.zeros((400, 400, 3), np.uint8)
    photo[200:240, 120:160] = 255
    affine = np.array([[0.2, 0, 5.0], [0, 0.2, 3.0]])
    crop = warp(photo, affine, 100, np.random.default_rng(0))
    rows, columns = np.nonzero(crop[..., 0] > 127)
    goal = affine[:, :2] @ [139.5, 219.5] + affine[:, 2]
    np.testing.assert_allclose([columns.mean(), rows.mean()], goal, atol=0.6)
