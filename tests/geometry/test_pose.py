import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.geometry.pose import (
    compose,
    decompose,
    euler_from_matrix,
    in_plane_deg,
    in_plane_matrix,
    matrix_from_euler,
    nearest_rotation,
    original_euler,
    original_rotation,
    small_motions,
)

yaws = st.floats(-89.5, 89.5)
angles = st.floats(-179, 179)
eulers = st.tuples(yaws, angles, angles).map(np.array)


@given(eulers)
def test_matrix_is_a_rotation(euler):
    R = matrix_from_euler(euler)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)


@given(eulers)
def test_round_trip_of_combined_angles(euler):
    np.testing.assert_allclose(euler_from_matrix(matrix_from_euler(euler)), euler, atol=1e-6)


@given(st.sampled_from([-90.0, 90.0]), angles, angles)
def test_gimbal_lock_keeps_the_rotation(yaw, pitch, roll):
    R = matrix_from_euler(np.array([yaw, pitch, roll]))
    again = matrix_from_euler(euler_from_matrix(R))
    np.testing.assert_allclose(again, R, atol=1e-6)


def test_matrix_is_the_product_of_the_three_300w_lp_matrices():
    yaw, pitch, roll = np.deg2rad([30.0, -20.0, 50.0])

    def cs(a):
        return np.cos(a), np.sin(a)

    (c, s), (d, t), (e, u) = cs(pitch), cs(yaw), cs(roll)
    Rx = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    Ry = np.array([[d, 0, -t], [0, 1, 0], [t, 0, d]])
    Rz = np.array([[e, u, 0], [-u, e, 0], [0, 0, 1]])
    np.testing.assert_allclose(matrix_from_euler(np.array([30.0, -20.0, 50.0])), Rx @ Ry @ Rz, atol=1e-12)


@pytest.mark.parametrize(
    ("euler", "direction", "axis", "sign"),
    [
        ((-30, 0, 0), (0, 0, 1), 0, 1),  # yaw < 0: the nose points to the image right
        ((0, 20, 0), (0, 0, 1), 1, 1),  # pitch > 0: the nose points up
        ((0, 0, 20), (0, 1, 0), 0, 1),  # roll > 0: the crown leans to the image right, clockwise
    ],
)
def test_signs_of_the_angles(euler, direction, axis, sign):
    assert np.sign((matrix_from_euler(np.array(euler)) @ np.array(direction))[axis]) == sign


@given(eulers, st.floats(1e-4, 1e3), st.tuples(angles, angles, angles).map(np.array))
def test_decompose_inverts_compose(euler, scale, translation):
    pose = compose(np.array([scale]), matrix_from_euler(euler)[None], translation[None])
    camera = decompose(pose)
    np.testing.assert_allclose(camera.scale, [scale], rtol=1e-9)
    np.testing.assert_allclose(camera.rotation[0], matrix_from_euler(euler), atol=1e-9)
    np.testing.assert_allclose(camera.translation[0], translation)


@given(eulers, st.integers(0, 1000))
def test_nearest_rotation_of_a_perturbed_rotation(euler, seed):
    R = matrix_from_euler(euler)
    perturbed = R * 3 + np.random.default_rng(seed).normal(0, 0.02, (3, 3))
    nearest = nearest_rotation(perturbed)
    np.testing.assert_allclose(nearest @ nearest.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(nearest) == pytest.approx(1)
    assert np.abs(nearest - R).max() < 0.05


def test_original_formula_is_reproduced_with_its_errors():
    angles = np.array([45.84, 11.46, 17.19])
    np.testing.assert_allclose(original_euler(matrix_from_euler(angles)), [46.92, 1.51, -12.98], atol=0.05)
    for axis, sign in enumerate([1, -1, -1]):
        single = np.eye(3)[axis] * 20
        np.testing.assert_allclose(original_euler(matrix_from_euler(single)), sign * single, atol=1e-9)


def test_original_rotation_normalises_two_rows_and_completes_them():
    P = np.array([[[3.0, 0, 0, 7], [3, 4, 0, 8], [9, 9, 9, 9]]])
    np.testing.assert_allclose(original_rotation(P), [[[1, 0, 0], [0.6, 0.8, 0], [0, 0, 0.8]]], atol=1e-12)


@given(eulers, st.floats(0.1, 10))
def test_original_rotation_of_a_rotation(euler, scale):
    pose = compose(np.array([scale]), matrix_from_euler(euler)[None], np.zeros((1, 3)))
    np.testing.assert_allclose(original_rotation(pose)[0], matrix_from_euler(euler), atol=1e-9)


@pytest.mark.parametrize("axis", range(3))
def test_small_motions_are_derivatives_of_the_similarity(axis):
    points, step = np.random.default_rng(axis).normal(size=(5, 3)), 1e-6
    motions = small_motions(points, shift=2.0).reshape(7, 5, 3)
    c, s = np.cos(step), np.sin(step)
    rotation = np.eye(3)
    after, last = (axis + 1) % 3, (axis + 2) % 3
    rotation[[after, after, last, last], [after, last, after, last]] = c, -s, s, c  # right-handed, about the axis
    np.testing.assert_allclose(motions[axis], (points @ rotation.T - points) / step, atol=1e-5)
    np.testing.assert_array_equal(motions[3 + axis], np.tile(2 * np.eye(3)[axis], (5, 1)))
    np.testing.assert_array_equal(motions[6], points)


@given(st.floats(-179, 179), st.floats(-100, 100), st.floats(-60, 60))
def test_tilt_in_the_image_plane(roll, yaw, pitch):
    upright = matrix_from_euler([0.0, pitch, 0.0]) @ matrix_from_euler([yaw, 0.0, 0.0])
    assert abs(in_plane_deg(upright)) < 1e-6  # a head that turns and nods is not tilted, in profile and beyond
    assert in_plane_deg(in_plane_matrix(roll) @ upright) == pytest.approx(roll, abs=1e-6)
    np.testing.assert_allclose(in_plane_matrix(roll), matrix_from_euler([0.0, 0.0, roll]), atol=1e-12)
