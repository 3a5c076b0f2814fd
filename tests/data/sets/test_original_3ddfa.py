import json
import pickle
from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from ddfa.cli import main
from ddfa.data.augmentation import Augmentation
from ddfa.data.sets.dataset import CropStream, LabelledPhotos
from ddfa.data.sets.labels import Labels
from ddfa.data.sets.manifest import MANIFEST_FILE
from ddfa.data.sets.original_3ddfa import ReadConfig, read_original, source_photo
from ddfa.errors import DataError, ModelError
from ddfa.face_model import FaceModel
from ddfa.faces import Faces
from ddfa.head.model import HeadModel
from ddfa.regress.convention import PixelConvention
from ddfa.regress.layout import ParamLayout

from ...conftest import make_basis

HEIGHT = 130


@pytest.fixture(scope="module")
def basis(tmp_path_factory):
    """A V1 train.configs folder with a small random basis and whitening."""
    folder = tmp_path_factory.mktemp("v1") / "train.configs"
    folder.mkdir()
    content = make_basis()
    arrays = {
        "u_shp": content["u"], "u_exp": np.zeros_like(content["u"]), "w_shp_sim": content["w_shp"],
        "w_exp_sim": content["w_exp"], "keypoints_sim": content["keypoints"],
    }  # fmt: skip
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    rng = np.random.default_rng(5)
    mean = np.concatenate([[4e-4, 0, 0, 60, 0, 4e-4, 0, 65, 0, 0, 4e-4, -70], np.zeros(50)]).astype(np.float32)
    std = np.concatenate([np.full(12, 1e-4), rng.uniform(0.5, 2, 50)]).astype(np.float32)
    (folder / "param_whitening.pkl").write_bytes(pickle.dumps({"param_mean": mean, "param_std": std}))
    return folder


@pytest.fixture(scope="module")
def v1(basis):
    return HeadModel.load(basis)


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def crops(tmp_path, basis):
    """The 3DDFA training set: crops, list, labels; returns the configuration to read it and the raw parameters."""
    folder = tmp_path / "train_aug_120x120"
    folder.mkdir()
    names = [f"AFW_{k}.jpg" for k in range(3)]
    for k, name in enumerate(names):
        cv2.imwrite(str(folder / name), picture(120, 120, k))
    (tmp_path / "train_aug_120x120.list.train").write_text("".join(f"{name}\n" for name in names))
    whitened = np.random.default_rng(6).normal(size=(3, 62)).astype(np.float32)
    (tmp_path / "param_all_norm.pkl").write_bytes(pickle.dumps(whitened, protocol=2))
    whitening = pickle.loads((basis / "param_whitening.pkl").read_bytes())
    config = ReadConfig(
        folder,
        tmp_path / "out",
        tmp_path / "train_aug_120x120.list.train",
        tmp_path / "param_all_norm.pkl",
        basis / "param_whitening.pkl",
    )
    return config, whitened * whitening["param_std"] + whitening["param_mean"]


def test_labels_of_the_training_set_are_what_a_v1_network_says(crops, v1):
    config, params = crops
    read_original(config)
    data = LabelledPhotos.open(config.output, v1)
    whole = np.tile(np.float32([0, 0, 120, 120]), (3, 1))
    faces = Faces(whole, np.ones(3), params, whole, FaceModel(v1, ParamLayout(40, 10), PixelConvention.V1), (120, 120))
    np.testing.assert_allclose(data.landmarks, faces.landmarks68 - [1, 1, 0], atol=1e-2)  # V1 counts pixels from 1
    x, y, _ = params[1, :12].reshape(3, 4) @ np.append(
        v1.decode_landmarks(params[1:2, 12:52], params[1:2, 52:])[0, 8], 1
    )
    np.testing.assert_allclose(data.landmarks[1, 8, :2], [x - 1, 120 - y], atol=1e-2)


def test_the_manifest_names_what_was_read(crops):
    config, _ = crops
    read_original(config)
    manifest = json.loads((config.output / MANIFEST_FILE).read_text())
    assert (manifest["made_by"], manifest["pictures"], manifest["head"]) == ("ddfa data read", 3, "bfm-v1")
    assert manifest["settings"]["params"] == str(config.params) and "output" not in manifest["settings"]


def test_the_training_set_can_be_trained_on(crops, v1):
    config, _ = crops
    read_original(config)
    stream = CropStream([LabelledPhotos.open(config.output, v1)], (1,), v1, options=Augmentation(mirror=0))
    images, params = stream.batch(2, [0])
    assert images.shape == (2, 120, 120, 3) and params.shape == (2, 62)


def rotation(pitch, yaw, roll):
    """R = Rx(pitch) Ry(yaw) Rz(roll) of 300W-LP."""
    (c, s), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in (pitch, yaw, roll))
    x, y = np.array([[1, 0, 0], [0, c, s], [0, -s, c]]), np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    return x @ y @ np.array([[cz, sz, 0], [-sz, cz, 0], [0, 0, 1]])


@pytest.fixture
def mats(tmp_path):
    """300W-LP: pictures with .mat files, landmark files that are no labels, and what else lies about."""
    rng = np.random.default_rng(7)
    labels = {}
    for name in ("AFW/AFW_1_0", "AFW_Flip/AFW_1_0"):
        path = tmp_path / "300W_LP" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture(HEIGHT, 150))
        label = {
            "Pose_Para": np.float32([[*rng.uniform(-1, 1, 3), *rng.uniform(50, 80, 2), -60, 4e-4]]),
            "Shape_Para": rng.normal(0, 3, (199, 1)).astype(np.float32),
            "Exp_Para": rng.normal(0, 1, (29, 1)).astype(np.float32),
            "pt2d": np.zeros((2, 68), np.float32),
            "roi": np.uint16([[1, 1, 150, HEIGHT]]),
        }
        savemat(path.with_suffix(".mat"), label)
        labels[f"{name}.jpg"] = label
    cv2.imwrite(str(tmp_path / "300W_LP" / "AFW" / "preview.png"), picture(9, 9))
    savemat(tmp_path / "300W_LP" / "AFW" / "preview.mat", {"pts_2d": np.zeros((68, 2))})
    return tmp_path / "300W_LP", labels


def test_labels_of_mats_follow_the_formula(mats, v1, tmp_path):
    folder, stored = mats
    labels = read_original(ReadConfig(folder, tmp_path / "out"))
    assert labels.names == tuple(stored) and labels.sources == ("AFW/AFW_1",) * 2
    data = LabelledPhotos.open(tmp_path / "out", v1)
    for name, landmarks, yaw in zip(labels.names, data.landmarks, data.yaw_deg, strict=True):
        label = stored[name]
        *angles, tx, ty, tz, f = label["Pose_Para"][0].astype(float)
        shape = v1.decode_landmarks(label["Shape_Para"][None, :40, 0], label["Exp_Para"][None, :10, 0])[0].astype(float)
        seen = f * shape @ rotation(*angles).T + [tx, ty, tz]  # pixels from 1, y up
        seen[:, 1] = HEIGHT + 1 - seen[:, 1]
        np.testing.assert_allclose(landmarks[:, :2], seen[:, :2] - 1, atol=1e-2)
        np.testing.assert_allclose(landmarks[:, 2], seen[:, 2], atol=1e-2)
        assert yaw == pytest.approx(np.rad2deg(angles[1]), abs=1e-3)


def test_labels_survive_the_way_to_a_v1_parameter_vector(mats, v1, tmp_path):
    """For a RoI, P = k f R, t = ((tx - sx) k, 121 - (H + 1 - ty - sy) k): what a V1 network should say."""
    folder, stored = mats
    labels = read_original(ReadConfig(folder, tmp_path / "out"))
    roi = np.float32([21, 11, 121, 111])  # pixels from 1, as the published RoIs
    k = 120 / (roi[2] - roi[0])
    *angles, tx, ty, tz, f = stored[labels.names[0]]["Pose_Para"][0].astype(float)
    pose = np.column_stack([k * f * rotation(*angles), [(tx - 21) * k, 121 - (HEIGHT + 1 - ty - 11) * k, tz * k]])
    params = np.concatenate([pose.ravel(), labels.identity[0], labels.expression[0]])[None]
    layout = ParamLayout(40, 10)
    faces = Faces(roi[None], np.ones(1), params, roi[None], FaceModel(v1, layout, PixelConvention.V1), (150, HEIGHT))
    np.testing.assert_allclose(labels.landmarks(v1)[0, :, :2], faces.landmarks68[0, :, :2] - 1, atol=1e-2)


def test_command_and_more_coefficients(mats, tmp_path, capsys):
    words = ["data", "read", "--photos", str(mats[0]), "--output", str(tmp_path / "out")]
    assert main([*words, "--identity", "60", "--expression", "29", "--head", "bfm-v2"]) == 0
    assert "2 labels for head bfm-v2" in capsys.readouterr().out
    labels = Labels.load(tmp_path / "out" / "labels.npz")
    assert labels.identity.shape == (2, 60) and labels.expression.shape == (2, 29)
    assert main([*words, "--identity", "200"]) == 2
    assert "199 and 29 coefficients" in capsys.readouterr().err


def test_names_of_turned_and_mirrored_pictures():
    assert source_photo("HELEN_Flip/HELEN_100032540_1_12.jpg") == "HELEN/HELEN_100032540_1"
    assert source_photo("image00002.jpg") == "./image00002"


def test_what_does_not_fit_is_refused(crops, tmp_path):
    config, _ = crops
    with pytest.raises(DataError, match="needs all of"):
        read_original(replace(config, whitening=None))
    with pytest.raises(DataError, match=r"no image in .* has a \.mat"):
        read_original(ReadConfig(config.photos, config.output))
    (config.photos / "AFW_1.jpg").unlink()
    with pytest.raises(DataError, match=r"1 images of the list .* AFW_1\.jpg"):
        read_original(config)
    config.names.write_text("AFW_0.jpg\n")
    with pytest.raises(DataError, match="1 names in the list, but 3 labels"):
        read_original(config)
    config.params.write_bytes(pickle.dumps(np.zeros((3, 61), np.float32)))
    with pytest.raises(DataError, match=r"no array \(N, 62\)"):
        read_original(config)
    config.params.write_bytes(pickle.dumps(tmp_path))
    with pytest.raises(ModelError, match="refused"):
        read_original(config)
    assert not config.output.exists()
