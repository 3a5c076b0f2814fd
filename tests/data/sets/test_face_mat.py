"""The `.mat` labels of 300W-LP and AFLW2000-3D, against values known by construction."""

import numpy as np
import pytest
from scipy.io import savemat

from ddfa.data.sets.face_mat import read_face_mat
from ddfa.errors import DataError
from ddfa.geometry.pose import matrix_from_euler

POSE = np.array([0.1, -0.4, 0.2, 30.0, 50.0, -7.0, 0.002])  # pitch, yaw, roll, t, f


def write(path, **more):
    identity, expression = np.arange(199.0)[:, None], np.arange(29.0)[:, None]
    savemat(path, {"Pose_Para": POSE[None], "Shape_Para": identity, "Exp_Para": expression} | more)
    return path


def test_angles_coefficients_and_landmarks(tmp_path):
    points = np.random.default_rng(0).uniform(1, 100, (3, 68))
    label = read_face_mat(write(tmp_path / "a.mat", pt3d_68=points))
    np.testing.assert_allclose(label.euler_deg, np.rad2deg([-0.4, 0.1, 0.2]))
    np.testing.assert_array_equal(label.translation, [30, 50, -7])
    assert label.scale == 0.002 and label.identity.shape == (199,) and label.expression[28] == 28
    np.testing.assert_allclose(label.landmarks68, points.T - [1, 1, 0], rtol=1e-6)
    assert read_face_mat(write(tmp_path / "b.mat")).landmarks68 is None


def test_the_pose_maps_head_points_to_pixels_counted_from_0(tmp_path):
    label, height, point = read_face_mat(write(tmp_path / "a.mat")), 120, np.array([9e3, -4e3, 2e4])
    one_based = 0.002 * matrix_from_euler(np.rad2deg([-0.4, 0.1, 0.2])) @ point + [30, 50, -7]  # y up
    pose = label.pose(height)
    wanted = [one_based[0] - 1, height - one_based[1], one_based[2]]
    np.testing.assert_allclose(pose[:, :3] @ point + pose[:, 3], wanted, rtol=1e-5)


def test_other_files(tmp_path):
    savemat(tmp_path / "landmarks.mat", {"pts_2d": np.zeros((68, 2))})
    assert read_face_mat(tmp_path / "landmarks.mat") is None
    (tmp_path / "damaged.mat").write_bytes(b"no label" * 40)
    savemat(tmp_path / "part.mat", {"Pose_Para": POSE[None]})
    for name in ("damaged.mat", "part.mat", "gone.mat"):
        with pytest.raises(DataError, match=name):
            read_face_mat(tmp_path / name)
