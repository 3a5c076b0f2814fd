"""The `.mat` files of 300W-LP and AFLW2000-3D: one face, as Basel coefficients and a weak-perspective camera.

    Pose_Para (1, 7)     pitch, yaw, roll (radians), tx, ty, tz, f
    Shape_Para (199, 1)  identity coefficients    Exp_Para (29, 1)  expression coefficients
    pt3d_68 (3, 68)      landmarks, AFLW2000-3D only

A point S of the head is at f R S + t in an image whose pixels are counted from 1 and whose y axis points up.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Float32, Float64
from ddfa.errors import DataError, reading
from ddfa.files import check_regular
from ddfa.geometry.camera import weak_perspective
from ddfa.geometry.pose import matrix_from_euler

POSE_KEY = "Pose_Para"
_ONE_BASED = np.array([1, 1, 0], np.float32)


@dataclass(frozen=True, eq=False)
class FaceMat:
    """The contents of one `.mat` file.

    Attributes:
        euler_deg: (3,) float64 yaw, pitch, roll in degrees, 300W-LP convention.
        translation: (3,) float64 px, 1-based, y up.
        scale: px per head unit.
        identity: (199,) float32.
        expression: (29,) float32.
        landmarks68: (68, 3) float32 image px, 0-based, y down; None where the file has none.
    """

    euler_deg: Float64
    translation: Float64
    scale: float
    identity: Float32
    expression: Float32
    landmarks68: Float32 | None

    def pose(self, height: int) -> Float32:
        """The camera in image space: x right, y down, z towards the viewer, pixels from 0.

        Args:
            height: of the image in px.

        Returns:
            (3, 4) float32, head space to image space.
        """
        x, y, z = self.translation
        place = np.array([x - 1, height - y, z])
        return weak_perspective(matrix_from_euler(self.euler_deg), np.asarray(self.scale), place).astype(np.float32)


def read_face_mat(path: Path) -> FaceMat | None:
    """Read the label of one face.

    Args:
        path: the file.

    Returns:
        The label; None if the file is something else, such as the landmarks that 300W-LP also stores as `.mat`.

    Raises:
        DataError: the file is missing or damaged.
    """
    from scipy.io import loadmat

    check_regular(path, DataError)
    with reading(path, DataError, "not a readable 300W-LP label", "remove it or copy it again"):
        content: dict[str, NDArray[Any]] = loadmat(path)
        if POSE_KEY not in content:
            return None
        pose = np.asarray(content[POSE_KEY], np.float64).reshape(-1)
        identity, expression = (np.float32(content[key]).reshape(-1) for key in ("Shape_Para", "Exp_Para"))
        landmarks = content.get("pt3d_68")
        points = None if landmarks is None else np.asarray(landmarks, np.float32).reshape(3, 68).T - _ONE_BASED
        (pitch, yaw, roll), translation, (scale,) = np.split(pose, [3, 6])
    euler = np.rad2deg([yaw, pitch, roll])
    return FaceMat(euler, translation, float(scale), identity, expression, points)
