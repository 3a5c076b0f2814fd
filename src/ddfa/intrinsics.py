"""Reads camera intrinsics from four numbers or from the file of a calibration."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ddfa.errors import ImageError
from ddfa.files import read_text
from ddfa.geometry.perspective import MEAN_IPD_MM, Camera, Intrinsics

_MATRIX_KEYS = ("camera_matrix", "cameraMatrix", "intrinsic_matrix", "intrinsics", "K", "mtx")
_DISTORTION_KEYS = ("distortion_coefficients", "dist_coeffs", "distCoeffs", "dist", "D")
_HELP = "give fx,fy,cx,cy in px, or a JSON, YAML or XML file with a 3 x 3 camera_matrix"


def camera_from(
    fov_deg: float | None = None, intrinsics: str | Path | None = None, ipd_mm: float = MEAN_IPD_MM
) -> Camera | None:
    """Describe a camera by what the user knows.

    Args:
        fov_deg: horizontal field of view, degrees.
        intrinsics: "fx,fy,cx,cy" in px, or a file: JSON with these four keys or a 3 x 3 `camera_matrix`, or what
            OpenCV's calibration writes (`cv2.FileStorage`: YAML, XML, JSON). `image_width` and `image_height` in the
            file are the size it is for.
        ipd_mm: distance of the pupils, mm.

    Returns:
        The camera; None if neither is given.

    Raises:
        ImageError: a value is out of range, both are given, the file cannot be read, or it contains a lens distortion.
    """
    if fov_deg is None and intrinsics is None:
        return None
    try:
        if fov_deg is not None and intrinsics is not None:
            raise ValueError("give --fov or --intrinsics, not both")
        if intrinsics is None:
            return Camera(fov_deg=fov_deg, ipd_mm=ipd_mm)
        numbers = _four_numbers(str(intrinsics))
        matrix, size = (numbers, None) if numbers else _read(Path(intrinsics))
        return Camera(intrinsics=matrix, size=size, ipd_mm=ipd_mm)
    except ValueError as error:
        raise ImageError(str(error)) from None


def _four_numbers(text: str) -> Intrinsics | None:
    parts = text.split(",")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        return None
    if len(values) != 4:
        raise ValueError(f"--intrinsics {text}: {_HELP}")
    return Intrinsics(*values)


def _read(path: Path) -> tuple[Intrinsics, tuple[int, int] | None]:
    text = read_text(path, ImageError)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = _opencv_content(text)
    if not isinstance(content, dict):
        raise ValueError(f"{path} is no camera calibration: {_HELP}")
    try:
        matrix, distortion = _matrix(content), _numbers(_first(content, _DISTORTION_KEYS, []))
        sides = [content[key] for key in ("image_width", "image_height") if key in content]
        size = (int(sides[0]), int(sides[1])) if len(sides) == 2 and min(sides) > 0 else None
    except (TypeError, ValueError, KeyError, OverflowError):
        raise ValueError(f"{path} is no camera calibration: {_HELP}") from None
    if np.any(distortion):
        raise ValueError(f"{path} has lens distortion: undistort the images (cv2.undistort), then set it to zero")
    return matrix, size


def _opencv_content(text: str) -> dict[str, Any] | None:
    """The entries of a file of `cv2.FileStorage`; None if it is not one."""
    try:
        return _entries(cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY))
    except Exception:  # cv2.error, SystemError, and what a damaged matrix raises
        return None


def _entries(storage: cv2.FileStorage) -> dict[str, Any]:
    content: dict[str, Any] = {}
    root = storage.root()
    for key in root.keys() if root.isMap() else ():
        node = root.getNode(key)
        if node.isReal() or node.isInt():
            content[key] = node.real()
        elif node.isMap():
            matrix = node.mat()
            content[key] = None if matrix is None else matrix.tolist()
    return content


def _first(content: dict[str, Any], keys: tuple[str, ...], otherwise: Any) -> Any:
    return next((content[key] for key in keys if key in content), otherwise)


def _matrix(content: dict[str, Any]) -> Intrinsics:
    given = _first(content, _MATRIX_KEYS, None)
    if isinstance(given, dict) and "fx" in given:
        content, given = given, None
    if given is None:
        return Intrinsics(*(float(content[key]) for key in Intrinsics._fields))
    K = _numbers(given).reshape(3, 3)
    if abs(K[0, 1]) > 1e-3 * abs(K[0, 0]) or np.any(np.abs(K[[1, 2, 2], [0, 0, 1]]) > 1e-6):
        raise ValueError
    return Intrinsics(*(float(value) for value in (K[0, 0], K[1, 1], K[0, 2], K[1, 2])))


def _numbers(values: Any) -> "np.typing.NDArray[np.float64]":
    """Numbers of a list, or of the `data` of a matrix as in calibrations of ROS."""
    return np.asarray(values["data"] if isinstance(values, dict) else values, np.float64)
