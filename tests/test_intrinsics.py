"""Cameras from numbers and from the files of calibrations."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ddfa.errors import ImageError
from ddfa.intrinsics import camera_from

K = [[900.0, 0.0, 639.5], [0.0, 905.0, 359.5], [0.0, 0.0, 1.0]]
EXPECTED = (900, 905, 639.5, 359.5)


def opencv_file(path: Path, **more) -> Path:
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 1280)
    storage.write("image_height", 720)
    storage.write("camera_matrix", np.array(K))
    for name, value in more.items():
        storage.write(name, value)
    storage.release()
    return path


def test_numbers_and_field_of_view() -> None:
    assert camera_from() is None
    assert camera_from(intrinsics="900,905, 639.5,359.5").intrinsics == EXPECTED
    assert camera_from(60, ipd_mm=65).ipd_mm == 65


@pytest.mark.parametrize("suffix", ["yml", "xml", "json"])
def test_files_of_opencv(tmp_path: Path, suffix: str) -> None:
    path = opencv_file(tmp_path / f"camera.{suffix}", distortion_coefficients=np.zeros((1, 5)))
    camera = camera_from(intrinsics=path)
    assert camera.intrinsics == EXPECTED and camera.size == (1280, 720)


@pytest.mark.parametrize(
    "content",
    [
        dict(zip(("fx", "fy", "cx", "cy"), EXPECTED, strict=True)),
        {"K": K},
        {"camera_matrix": {"rows": 3, "cols": 3, "data": [value for row in K for value in row]}},
        {"intrinsics": dict(zip(("fx", "fy", "cx", "cy"), EXPECTED, strict=True))},
    ],
)
def test_json(tmp_path: Path, content: dict) -> None:
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(content))
    assert camera_from(intrinsics=path).intrinsics == EXPECTED


def test_bad_cameras_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text("{}")
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "text.yml").write_text("%YAML:1.0\n---\nhello: [")
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)))
    skewed = json.dumps({"K": [[900, 50, 640], [0, 900, 360], [0, 0, 1]]})
    (tmp_path / "skewed.json").write_text(skewed)
    cases = [tmp_path / name for name in ("empty.json", "list.json", "text.yml", "noise.bin", "skewed.json", "none")]
    for bad in (*cases, "1,2,3", "900,-1,2,3", "nan,1,2,3"):
        with pytest.raises(ImageError) as caught:
            camera_from(intrinsics=bad)
        assert "\n" not in str(caught.value)
    with pytest.raises(ImageError, match="not both"):
        camera_from(60, "900,900,640,360")
    bent = opencv_file(tmp_path / "bent.yml", distortion_coefficients=np.array([[0.1, 0, 0, 0, 0]]))
    with pytest.raises(ImageError, match="undistort"):
        camera_from(intrinsics=bent)
