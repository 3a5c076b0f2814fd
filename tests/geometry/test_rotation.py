import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ddfa.geometry.pose import euler_from_matrix, matrix_from_euler
from ddfa.geometry.rotation import (
    matrix_from_turn_nod_tilt,
    matrix_from_vector,
    quaternion_from_matrix,
    turn_nod_tilt_from_matrix,
    vector_from_matrix,
)

vectors = st.tuples(*[st.floats(-3, 3)] * 3).map(np.array)
angles = st.floats(-179, 179)
triples = st.tuples(angles, st.floats(-89, 89), angles).map(np.array)


@given(vectors)
def test_vectors_are_those_of_scipy(vector):
    np.testing.assert_allclose(matrix_from_vector(vector), Rotation.from_rotvec(vector).as_matrix(), atol=1e-9)
    np.testing.assert_allclose(matrix_from_vector(vector_from_matrix(matrix_from_vector(vector))),
                               matrix_from_vector(vector), atol=1e-9)  # fmt: skip


@given(vectors)
def test_quaternions_are_those_of_scipy(vector):
    matrix = matrix_from_vector(vector)
    quaternion = quaternion_from_matrix(matrix)
    assert abs(np.linalg.norm(quaternion) - 1) < 1e-12 and quaternion[3] >= 0
    np.testing.assert_allclose(Rotation.from_quat(quaternion).as_matrix(), matrix, atol=1e-9)


def test_batches():
    matrices = matrix_from_vector(np.random.default_rng(0).normal(size=(2, 4, 3)))
    assert quaternion_from_matrix(matrices).shape == (2, 4, 4)
    assert vector_from_matrix(matrices).shape == turn_nod_tilt_from_matrix(matrices).shape == (2, 4, 3)


@given(triples)
def test_turn_nod_tilt_and_back(triple):
    matrix = matrix_from_turn_nod_tilt(triple)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(turn_nod_tilt_from_matrix(matrix), triple, atol=1e-6)


@given(st.floats(-85, 85), st.integers(0, 2))
def test_about_one_axis_they_are_yaw_pitch_and_roll(angle, axis):
    euler = np.eye(3)[axis] * angle
    np.testing.assert_allclose(turn_nod_tilt_from_matrix(matrix_from_euler(euler)), euler, atol=1e-6)


@given(st.sampled_from([-1, 1]), st.floats(-20, 20), st.floats(-20, 20))
def test_they_are_continuous_through_a_profile(side, nod, tilt):
    """While a head turns from 80° to 100°, nod and tilt stay."""
    turns = side * np.linspace(80, 100, 41)
    heads = np.stack([matrix_from_turn_nod_tilt(np.array([turn, nod, tilt])) for turn in turns])
    np.testing.assert_allclose(turn_nod_tilt_from_matrix(heads), np.array([[t, nod, tilt] for t in turns]), atol=1e-6)


def test_an_upright_profile_has_no_tilt():
    """Where roll reads 57°."""
    profile = matrix_from_turn_nod_tilt(np.array([89.0, 1.5, 0.9]))
    assert euler_from_matrix(profile)[2] > 50
    np.testing.assert_allclose(turn_nod_tilt_from_matrix(profile), [89, 1.5, 0.9], atol=1e-9)


@given(st.sampled_from([-90.0, 90.0]), angles, angles)
def test_a_face_that_looks_straight_up_keeps_its_rotation(nod, turn, tilt):
    matrix = matrix_from_turn_nod_tilt(np.array([turn, nod, tilt]))
    again = matrix_from_turn_nod_tilt(turn_nod_tilt_from_matrix(matrix))
    np.testing.assert_allclose(again, matrix, atol=1e-6)
