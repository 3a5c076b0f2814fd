import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ddfa.geometry.roi import central_square, crop_matrix, roi_from_boxes, roi_from_landmarks

coordinates = st.floats(-500, 2000, width=32)
sizes = st.floats(10, 1500, width=32)


@given(coordinates, coordinates, sizes, sizes)
def test_box_rule_is_a_square_of_1_58_times_the_size(x, y, w, h):
    roi = roi_from_boxes(np.array([[x, y, x + w, y + h]]))[0].astype(float)
    np.testing.assert_allclose(roi[2] - roi[0], 1.58 * (w + h) / 2, rtol=1e-3)
    np.testing.assert_allclose(roi[3] - roi[1], roi[2] - roi[0], atol=1e-3)
    np.testing.assert_allclose((roi[1] + roi[3]) / 2, y + h / 2 + 0.07 * (w + h), atol=1e-3)


def test_original_box_rule_truncates_the_side():
    box = np.array([[228.86, 103.06, 466.07, 390.72]])
    expected = [140.467, 76.629, 554.467, 490.629]
    np.testing.assert_allclose(roi_from_boxes(box, truncate=True)[0], expected, atol=2e-3)


@given(st.integers(0, 10_000))
def test_landmark_rule_is_a_centred_square(seed):
    points = np.random.default_rng(seed).normal(200, 50, (3, 68, 3))
    roi = roi_from_landmarks(points)
    span = np.ptp(points[..., :2], axis=1).max(axis=1)
    np.testing.assert_allclose(roi[:, 2] - roi[:, 0], np.sqrt(2) * span, rtol=1e-4)
    middle = (points[..., :2].min(axis=1) + points[..., :2].max(axis=1)) / 2
    np.testing.assert_allclose((roi[:, :2] + roi[:, 2:]) / 2, middle, atol=1e-3)


def test_crop_matrix_of_the_pixel_frame_is_the_identity():
    matrix = crop_matrix(np.array([[-0.5, -0.5, 119.5, 119.5]]), 120)[0]
    np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-12)


@given(coordinates, coordinates, sizes, sizes)
def test_crop_matrix_maps_the_corners_of_the_roi_to_those_of_the_crop(x, y, w, h):
    (matrix,) = crop_matrix(np.array([[x, y, x + w, y + h]]), 120)
    np.testing.assert_allclose(matrix @ [x, y, 1], [-0.5, -0.5], atol=1e-3)
    np.testing.assert_allclose(matrix @ [x + w, y + h, 1], [119.5, 119.5], atol=1e-3)


def test_central_square():
    np.testing.assert_array_equal(central_square(101, 61, 0.4), np.float32([29.8, 9.8, 70.2, 50.2]))
