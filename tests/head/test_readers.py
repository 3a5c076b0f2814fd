import pickle
import shutil

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from ddfa.errors import ModelError
from ddfa.head.model import HeadModel
from ddfa.head.open import OPEN_HEAD
from ddfa.head.readers import original_files, read_triangles, read_whitening

from ..conftest import make_basis


def outward(head, triangles):
    """Mean z component of the face normals, y up; positive if they point outwards."""
    a, b, c = head.mean[triangles].transpose(1, 0, 2).astype(float)
    return np.cross(b - a, c - a)[:, 2].mean()


@pytest.fixture(scope="session")
def v1(reference):
    return HeadModel.load(reference / "train.configs")


@pytest.fixture(scope="session")
def v2(reference):
    return HeadModel.load(reference / "bfm_noneck_v3.pkl")


def test_v2_pickle_of_any_size(tmp_path):
    content = make_basis()
    path = tmp_path / "bfm.pkl"
    path.write_bytes(pickle.dumps(content))
    head = HeadModel.load(path)
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(1, 40)), rng.normal(size=(1, 10))
    expected = (content["u"][:, 0] + content["w_shp"] @ a[0] + content["w_exp"] @ b[0]).reshape(-1, 3)
    np.testing.assert_allclose(head.decode(a, b)[0], expected, rtol=1e-5, atol=0.1)
    np.testing.assert_allclose(head.decode_landmarks(a, b)[0], expected[:68], rtol=1e-5, atol=0.1)
    np.testing.assert_array_equal(head.triangles[:, ::-1], content["tri"].T)


def test_npz_by_path():
    head = HeadModel.load(OPEN_HEAD)
    assert head.name == "open"
    np.testing.assert_array_equal(head.mean, HeadModel.load().mean)


@pytest.mark.parametrize("keep", [0, 5000, -5000])
def test_damaged_npz(tmp_path, keep):
    path = tmp_path / "head.npz"
    path.write_bytes(OPEN_HEAD.read_bytes()[:keep])
    with pytest.raises(ModelError, match="damaged or not a head model"):
        HeadModel.load(path)


def test_tri_pickle_beside_replaces_the_triangles(tmp_path):
    (tmp_path / "bfm.pkl").write_bytes(pickle.dumps(make_basis()))
    (tmp_path / "tri.pkl").write_bytes(pickle.dumps(np.array([[0], [1], [2]], np.int32)))
    assert HeadModel.load(tmp_path / "bfm.pkl").triangles.tolist() == [[2, 1, 0]]


@pytest.mark.parametrize("missing", ["u", "w_shp", "w_exp", "keypoints"])
def test_v2_pickle_without_an_entry(tmp_path, missing):
    content = make_basis()
    del content[missing]
    path = tmp_path / "bfm.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ModelError, match="not a 3DDFA_V2 basis"):
        HeadModel.load(path)


def test_v2_pickle_whose_arrays_do_not_fit(tmp_path):
    content = make_basis() | {"w_exp": np.zeros((12, 10), np.float32)}
    path = tmp_path / "bfm.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ModelError, match="do not fit together"):
        HeadModel.load(path)


def test_incomplete_v1_folder_names_the_file(tmp_path):
    with pytest.raises(ModelError, match=r"u_shp\.npy is missing"):
        HeadModel.load(tmp_path)
    (tmp_path / "u_shp.npy").write_bytes(b"broken")
    with pytest.raises(ModelError, match=r"u_shp\.npy is damaged"):
        HeadModel.load(tmp_path)


def test_missing_path():
    with pytest.raises(ModelError, match="no head model at nowhere"):
        HeadModel.load("nowhere")


def test_damaged_tri_mat(tmp_path):
    path = tmp_path / "tri.mat"
    path.write_bytes(b"not matlab")
    with pytest.raises(ModelError, match=r"tri\.mat"):
        read_triangles(path)
    savemat(path, {"other": np.zeros(3)})
    with pytest.raises(ModelError, match="'tri'"):
        read_triangles(path)


def test_original_v1_basis(v1):
    assert v1.mean.shape == (53215, 3)
    assert v1.identity_basis.shape == (40, 53215, 3)
    assert v1.expression_basis.shape == (10, 53215, 3)
    assert v1.landmark_vertices[[0, 16, 30, 67], 0].tolist() == [21873, 32709, 8192, 7629]
    np.testing.assert_allclose(v1.mean.min(axis=0), [-90275, -122065, -15259], atol=1)
    np.testing.assert_allclose(v1.mean.max(axis=0), [89794, 88860, 132685], atol=1)


def test_original_v2_basis(v2):
    assert v2.mean.shape == (38365, 3)
    assert v2.landmark_vertices[[0, 16, 30, 67], 0].tolist() == [17440, 28276, 8192, 7629]
    np.testing.assert_allclose(v2.mean.min(axis=0), [-78195, -90550, 12452], atol=1)
    assert outward(v2, v2.triangles) > 0


def test_v2_is_v1_restricted_to_its_indices(v1, v2, shared_data):
    """V1 restricted to the original index list is V2, in vertices and in modes."""
    indices = np.load(shared_data / "reference" / "v2_indices.npy")
    np.testing.assert_allclose(v1.mean[indices], v2.mean, atol=0.02)
    np.testing.assert_allclose(v1.identity_basis[:, indices], v2.identity_basis, atol=1e-6)
    np.testing.assert_allclose(v1.expression_basis[:, indices], v2.expression_basis, atol=1e-2)


def test_v2_triangles_are_the_v1_triangles_that_survive(shared_data):
    reference = shared_data / "reference"
    indices = np.load(reference / "v2_indices.npy")
    all_v1 = read_triangles(reference / "v1_tri.mat")
    new = np.full(53215, -1)
    new[indices] = np.arange(len(indices))
    survivors = new[all_v1]
    survivors = survivors[(survivors >= 0).all(axis=1)]
    np.testing.assert_array_equal(survivors, read_triangles(reference / "v2_tri.pkl"))


def test_v2_triangles_in_the_pickle_are_renumbered(v2, shared_data):
    np.testing.assert_array_equal(v2.triangles, read_triangles(shared_data / "reference" / "v2_tri.pkl"))


def test_ncc_code_is_the_normalised_mean(v2, shared_data):
    code = np.load(shared_data / "reference" / "v2_ncc_code.npy").T
    low, high = v2.mean.min(axis=0), v2.mean.max(axis=0)
    np.testing.assert_allclose((v2.mean - low) / (high - low), code, atol=1e-6)


def test_v1_folder_with_triangles_beside_it(reference, shared_data, tmp_path, v1):
    folder = tmp_path / "train.configs"
    folder.mkdir()
    for file in (reference / "train.configs").iterdir():
        (folder / file.name).symlink_to(file.resolve())
    (tmp_path / "visualize").mkdir()
    shutil.copy(shared_data / "reference" / "v1_tri.mat", tmp_path / "visualize" / "tri.mat")
    head = HeadModel.load(folder)
    assert head.triangles.shape == (105840, 3) and head.triangles.min() == 0 and head.triangles.max() == 53214
    assert outward(head, head.triangles) > 0
    assert len(v1.triangles) == 0
    assert head.identity_std.min() > 1e3


def test_v1_fits_the_original_dense_vertices(v1, shared_data):
    """A dense result of the original code is an affine camera of mean + modes: the basis fits it to sub-pixels."""
    golden = loadmat(shared_data / "reference" / "v1_image00427_vertex.mat")["vertex"].T.astype(float)
    # x = P (mean + W a) + t is bilinear; alternate least squares for camera and coefficients on some vertices.
    some = np.arange(0, 53215, 40, dtype=np.int32)
    points, target = v1.subset(some), golden[some]
    scale = np.sqrt((points.bases**2).sum(axis=(1, 2)))
    bases = points.bases.astype(float) / scale[:, None, None]
    coefficients = np.zeros(len(bases))
    for _ in range(100):
        shape = points.mean + np.tensordot(coefficients, bases, 1)
        camera = np.linalg.lstsq(np.c_[shape, np.ones(len(shape))], target, rcond=None)[0]
        residual = target - np.c_[points.mean, np.ones(len(shape))] @ camera
        columns = (bases @ camera[:3]).reshape(len(bases), -1).T
        coefficients = np.linalg.lstsq(columns, residual.reshape(-1), rcond=1e-8)[0]
    shape = points.mean + np.tensordot(coefficients, bases, 1)
    error = np.c_[shape, np.ones(len(shape))] @ camera - target
    assert np.sqrt((error**2).sum(axis=1).mean()) < 0.05


def test_original_whitening(reference, shared_data):
    mean, _ = read_whitening(reference / "param_mean_std_62d_120x120.pkl")
    assert mean[3] == pytest.approx(60.17, abs=0.01) and mean[11] == pytest.approx(-66.67, abs=0.01)
    v1_mean, _ = read_whitening(reference / "train.configs" / "param_whitening.pkl")
    assert v1_mean[11] == pytest.approx(-76.65, abs=0.01)
    again, _ = read_whitening(shared_data / "reference" / "v2_param_mean_std_62d_120x120.pkl")
    np.testing.assert_array_equal(mean, again)
    with pytest.raises(ModelError, match="not a whitening file"):
        read_whitening(reference / "bfm_noneck_v3.pkl")


def test_landmark_whose_z_is_another_vertex(v2):
    """The original V2 basis reads the z of landmark 44 from vertex 12087; parity requires the same."""
    assert v2.landmark_axes[44].tolist() == [12383, 12383, 12087]
    z = v2.decode_landmarks(np.zeros((1, 40)), np.zeros((1, 10)))[0, 44, 2]
    assert z == v2.mean[12087, 2]


@pytest.mark.parametrize("name", ["train.configs", "bfm_noneck_v3.pkl"])
def test_copied_original_files_are_complete(reference, tmp_path, name):
    original = HeadModel.load(reference / name)
    for copy, file in original_files(reference / name).items():
        (tmp_path / copy).symlink_to(file.resolve())
    again = HeadModel.load(tmp_path if (reference / name).is_dir() else tmp_path / name)
    np.testing.assert_array_equal(again.identity_std, original.identity_std)
    np.testing.assert_array_equal(again.triangles, original.triangles)
    assert original.identity_std.min() > 1e3
