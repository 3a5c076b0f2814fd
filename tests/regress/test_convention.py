import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.geometry.roi import crop_matrix
from ddfa.regress.convention import PixelConvention

rois = st.tuples(st.floats(-300, 900), st.floats(-300, 900), st.floats(20, 900)).map(
    lambda r: np.array([[r[0], r[1], r[0] + r[2], r[1] + r[2]]])
)


@given(rois, st.integers(0, 1000), st.sampled_from(PixelConvention))
def test_to_crop_inverts_to_image(roi, seed, convention):
    points = np.random.default_rng(seed).normal(60, 30, (1, 20, 3))
    back = convention.to_crop(convention.to_image(points, roi, 120), roi, 120)
    axes = slice(0, 2) if convention is PixelConvention.V2 else slice(0, 3)
    np.testing.assert_allclose(back[..., axes], points[..., axes], atol=0.02)


@given(rois, st.integers(0, 1000))
def test_open_convention_agrees_with_the_crop_matrix(roi, seed):
    points = np.random.default_rng(seed).normal(60, 30, (1, 20, 3))
    image = PixelConvention.OPEN.to_image(points, roi, 120).astype(float)
    matrix = crop_matrix(roi, 120)[0]
    crop = image[0, :, :2] @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(crop[:, 0], points[0, :, 0], atol=0.01)
    np.testing.assert_allclose(119 - crop[:, 1], points[0, :, 1], atol=0.01)


@given(rois, st.integers(0, 1000))
def test_v2_is_v1_minus_one_crop_pixel(roi, seed):
    points = np.random.default_rng(seed).normal(60, 30, (1, 20, 3))
    v1 = PixelConvention.V1.to_image(points, roi, 120)
    v2 = PixelConvention.V2.to_image(points, roi, 120)
    k = (roi[0, 2] - roi[0, 0]) / 120
    np.testing.assert_allclose((v1 - v2)[..., :2], k, atol=1e-3)
    np.testing.assert_allclose(np.ptp(v1[..., 2]), np.ptp(v2[..., 2]), rtol=1e-4)
    assert v2[..., 2].min() == pytest.approx(0)


def test_open_identity_roi():
    image = PixelConvention.OPEN.to_image(np.array([[[0.0, 119.0, 5.0]]]), np.array([[-0.5, -0.5, 119.5, 119.5]]), 120)
    np.testing.assert_allclose(image[0, 0], [0, 0, 5])


@given(rois, st.integers(0, 1000), st.sampled_from(PixelConvention))
def test_place_agrees_with_pose_and_to_image(roi, seed, convention):
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 60, (1, 30, 3)).astype(np.float32)
    pose = rng.normal(0, 0.5, (1, 3, 4))
    pose[..., 3] = rng.normal(60, 20, 3)
    crop = points @ pose[..., :3].transpose(0, 2, 1) + pose[:, None, :, 3]
    slow = convention.to_image(crop, roi, 120)
    np.testing.assert_allclose(convention.place(points, pose, roi, 120), slow, atol=2e-6 * np.abs(slow).max() + 1e-4)
