"""Small annotated sets in every format the benchmarks read."""

import tarfile
from io import BytesIO

import cv2
import numpy as np
import pytest
from scipy.io import savemat


def encoded(seed=0, side=150):
    """A picture of noise as JPEG."""
    rng = np.random.default_rng(seed)
    return cv2.imencode(".jpg", rng.integers(0, 256, (side, side, 3), np.uint8))[1].tobytes()


@pytest.fixture
def annotated(tmp_path):
    """Three pictures of noise with random landmarks, as .npz and .tar."""
    rng = np.random.default_rng(0)
    names = [f"{k}.jpg" for k in range(3)]
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        for k, name in enumerate(names):
            content = encoded(k)
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, BytesIO(content))
    points = rng.uniform(20, 120, (3, 68, 3)).astype(np.float32)
    euler = np.array([[0, 5, -5], [45, 0, 10], [80, -100, 0]], np.float32)
    np.savez(tmp_path / "set.npz", names=names, landmarks68=points, yaw_deg=euler[:, 0], euler_deg=euler)
    return tmp_path / "set.npz"


@pytest.fixture
def mat_folder(tmp_path):
    """Two photos with .mat files as AFLW2000-3D has them; one photo without."""
    folder = tmp_path / "AFLW2000"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for k in range(3):
        (folder / f"image{k}.jpg").write_bytes(encoded(k))
    for k in range(2):
        pose = np.float32([[np.deg2rad(10), np.deg2rad(-50 * k), np.deg2rad(5), 70, 80, -60, 5e-4]])
        savemat(
            folder / f"image{k}.mat",
            {
                "Pose_Para": pose,
                "Shape_Para": np.zeros((199, 1), np.float32),
                "Exp_Para": np.zeros((29, 1), np.float32),
                "pt3d_68": rng.uniform(20, 120, (3, 68)).astype(np.float32),
                "pt2d": np.zeros((2, 21)),
            },
        )
    return folder


@pytest.fixture
def pts_folder(tmp_path):
    """Two photos with .pts files as 300-W has them."""
    folder = tmp_path / "helen"
    folder.mkdir()
    for k in range(2):
        points = np.random.default_rng(k).uniform(20, 120, (68, 2))
        lines = "".join(f"{x:.6f} {y:.6f} \n" for x, y in points)
        (folder / f"{k}_1.pts").write_text(f"version: 1\nn_points:  68\n{{\n{lines}}}\n")
        (folder / f"{k}_1.jpg").write_bytes(encoded(k))
    return folder


def write_published(folder, count=4):
    """Write AFLW2000-3D and AFLW as published with 3DDFA, with the published dtypes and shapes."""
    rng = np.random.default_rng(2)
    data, configs = folder / "test.data", folder / "test.configs"
    configs.mkdir(parents=True)
    for crops in ("AFLW2000-3D_crop", "AFLW_GT_crop"):
        (data / crops).mkdir(parents=True)
        names = [f"image{k:05d}.jpg" for k in range(count)]
        for k, name in enumerate(names):
            (data / crops / name).write_bytes(encoded(k, 120))
        (data / f"{crops}.list").write_text("".join(f"{name}\n" for name in names))
    roi = np.tile([101, 121, 340, 360], (count, 1))
    yaw = np.linspace(-80, 40, count).astype(np.float32)
    points = rng.uniform(150, 300, (count, 3, 68)).astype(np.float32)
    points21 = points[:, :2, :21].copy()
    points21[:, :, 3] = (-1, 452)
    np.save(configs / "AFLW2000-3D_crop.roi_box.npy", roi.astype(np.float32))
    np.save(configs / "AFLW2000-3D.pose.npy", yaw)
    np.save(configs / "AFLW2000-3D.pts68.npy", points)
    np.save(configs / "AFLW2000-3D-Reannotated.pts68.npy", points[:, :2] + 1)
    np.save(configs / "AFLW_GT_crop_roi_box.npy", roi.astype(np.uint16))
    np.save(configs / "AFLW_GT_crop_yaws.npy", yaw)
    np.save(configs / "AFLW_GT_pts68.npy", points)
    np.save(configs / "AFLW_GT_pts21.npy", points21)
    return folder


@pytest.fixture
def published(tmp_path):
    """Both published test sets, four faces each."""
    return write_published(tmp_path / "3DDFA")
