import shutil

import numpy as np
import pytest
from scipy.io import loadmat

from ddfa.bench.sets import AnnotatedSet, true_landmarks
from ddfa.errors import DataError


def test_npz(annotated):
    data = AnnotatedSet.load(annotated)
    assert len(data) == 3 and data.name == "set" and data.landmarks68.shape == (3, 68, 3)
    np.testing.assert_array_equal(data.yaw_deg, [0, 45, 80])
    part = data.subset([2])
    assert part.names == ("2.jpg",) and part.euler_deg[0, 1] == -100


def test_npz_of_yaw_only_beside_a_folder(annotated, tmp_path):
    (tmp_path / "yaw").mkdir()
    (tmp_path / "yaw" / "a.jpg").write_bytes(b"x")
    np.savez(tmp_path / "yaw.npz", names=["a.jpg"], yaw_deg=[3.0])
    data = AnnotatedSet.load(tmp_path / "yaw.npz")
    assert data.landmarks68 is None and data.yaw_deg[0] == 3 and np.isnan(data.euler_deg[0, 1:]).all()
    with pytest.raises(DataError, match="has no landmarks68"):
        true_landmarks(data)


def test_aflw2000_folder(mat_folder):
    data = AnnotatedSet.load(mat_folder)
    assert data.names == ("image0.jpg", "image1.jpg") and data.name == "AFLW2000"
    np.testing.assert_allclose(data.euler_deg, [[0, 10, 5], [-50, 10, 5]], atol=1e-4)
    stored = loadmat(mat_folder / "image1.mat")["pt3d_68"]
    np.testing.assert_allclose(data.landmarks68[1], stored.T - [1, 1, 0], rtol=1e-6)


def test_pts_folder(pts_folder):
    data = AnnotatedSet.load(pts_folder)
    expected = np.random.default_rng(1).uniform(20, 120, (68, 2)) - 1
    np.testing.assert_allclose(data.landmarks68[1], expected, atol=1e-4)
    assert np.isnan(data.yaw_deg).all()


def test_damaged_sets(annotated, pts_folder, mat_folder, tmp_path):
    with pytest.raises(DataError, match=r"no annotated set at .*none\.npz"):
        AnnotatedSet.load(tmp_path / "none.npz")
    (tmp_path / "damaged.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="is not an annotated set"):
        AnnotatedSet.load(tmp_path / "damaged.npz")
    shutil.copy(annotated, tmp_path / "alone.npz")
    with pytest.raises(DataError, match=r"alone\.tar"):
        AnnotatedSet.load(tmp_path / "alone.npz")
    np.savez(annotated, names=["a"], landmarks68=np.zeros((2, 68, 3)), yaw_deg=np.zeros(1))
    with pytest.raises(DataError, match=r"\(2, 68, 3\)"):
        AnnotatedSet.load(annotated)
    np.savez(annotated, names=["a"])
    with pytest.raises(DataError, match="has no annotations"):
        AnnotatedSet.load(annotated)
    (pts_folder / "0_1.pts").write_text("n_points: 3\n{\n1 2\n}")
    with pytest.raises(DataError, match=r"0_1\.pts is no \.pts file"):
        AnnotatedSet.load(pts_folder)
    (pts_folder / "0_1.pts").write_text("n_points: 1\n{\n1 2\n}")
    with pytest.raises(DataError, match="1 points, not 68"):
        AnnotatedSet.load(pts_folder)
    (mat_folder / "image0.mat").write_bytes(b"MATLAB 5.0")
    with pytest.raises(DataError, match="not a readable 300W-LP label"):
        AnnotatedSet.load(mat_folder)
    for path in mat_folder.glob("*.mat"):
        path.unlink()
    with pytest.raises(DataError, match="has no annotations"):
        AnnotatedSet.load(mat_folder)
