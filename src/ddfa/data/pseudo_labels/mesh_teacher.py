"""Google's 478-point face mesh as a teacher: eyelids, irises, lips and 52 expression scores.

The model file `face_landmarker.task` (Apache-2.0) is provided by the user. It is a zip of TFLite networks, which
OpenVINO reads directly. Two of them are used: the mesh, and the one that scores expressions from 146 of its points.
"""

import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ddfa.arrays import Float32, Float64, Floats, Int32, UInt8
from ddfa.data.pseudo_labels.mesh_points import MESH_POINTS, flip_averaged, observed_points
from ddfa.data.registration.landmark_placement import MIRRORED
from ddfa.errors import DataError, reading
from ddfa.files import check_regular

_MESH, _SCORES = "face_landmarks_detector.tflite", "face_blendshapes.tflite"
_SIDE = 256  # px, input of the mesh network
# Its crop relative to the box of the 68 landmarks, as shares of the longer side: one and a half times the box of the
# mesh, which includes the forehead.
_CROP_SIDE, _CROP_UP = 1.82, 0.10
# The mesh points that the expression network reads (MediaPipe, face_blendshapes_graph.cc).
_SCORED_POINTS = np.array(
    [
        0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78,
        80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152,
        153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246,
        249, 251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312,
        314, 317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381,
        382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472,
        473, 474, 475, 476, 477,
    ]
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class MeshView:
    """The face mesh of n photos.

    Attributes:
        points: (n, P, 2) float32, the points `mesh_points.OBSERVED_POINTS`, image px.
        scores: (n, 52) float32 in [0, 1], expressions in ARKit order; `tongueOut`, which has no score, is 0.
        presence: (n,) float32, probability that there is a face.
    """

    points: Float32
    scores: Float32
    presence: Float32

    @staticmethod
    def joined(views: "Sequence[MeshView]") -> "MeshView":
        """Several views as one."""
        return MeshView(*(np.concatenate([getattr(v, f) for v in views]) for f in ("points", "scores", "presence")))


class MeshTeacher:
    """The mesh and expression networks of a `face_landmarker.task`.

    Args:
        path: the task file.
        expression_mirror: (52,) index of the mirrored expression of each one, as `HeadModel.expression_mirror`.

    Raises:
        DataError: OpenVINO is not installed, or the file is missing or of another kind.
    """

    def __init__(self, path: Path, expression_mirror: Int32) -> None:
        self._mesh, self._scores = _networks(path)
        self._expression_mirror = expression_mirror

    def observe(self, photos: Sequence[UInt8], landmarks: Floats) -> MeshView:
        """Find the mesh in photos and in their mirror images, and average both.

        Args:
            photos: n >= 1 images (H, W, 3) uint8 RGB.
            landmarks: (n, 68, 2) iBUG-68, image px, which define position and roll of the crop.
        """
        views = []
        for photo, points in zip(photos, landmarks, strict=True):
            last = photo.shape[1] - 1
            plain, scores, presence = self._view(photo, points)
            flipped, flipped_scores, flipped_presence = self._view(photo[:, ::-1], _flip(points, last)[MIRRORED])
            both = flip_averaged(observed_points(plain[None]), observed_points(_flip(flipped, last)[None]))
            mean = np.asarray((scores + flipped_scores[self._expression_mirror]) / 2, np.float32)
            views.append(MeshView(both.astype(np.float32), mean[None], np.minimum(presence, flipped_presence)[None]))
        return MeshView.joined(views)

    def _view(self, photo: UInt8, landmarks: Floats) -> tuple[Float64, Float32, np.float32]:
        """Mesh points (478, 2) in a photo, expression scores (52,) and presence."""
        affine = crop_affine(landmarks)
        crop = cv2.warpAffine(np.ascontiguousarray(photo), affine, (_SIDE, _SIDE), borderMode=cv2.BORDER_REPLICATE)
        mesh, presence = self._mesh(crop[None].astype(np.float32) / 255).to_tuple()[:2]
        in_crop = mesh.reshape(MESH_POINTS, 3)[:, :2].astype(np.float64) - 0.5  # its pixel centres are at half-integers
        points = (in_crop - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T
        # The scores do not depend on position and size. The first one is `_neutral`; `tongueOut` at the end is missing.
        scores = self._scores(in_crop[None, _SCORED_POINTS].astype(np.float32)).to_tuple()[0].ravel()[1:]
        return points, np.append(np.clip(scores, 0, 1), 0).astype(np.float32), _sigmoid(presence.item())


def crop_affine(landmarks: Floats) -> Float64:
    """(2, 3) map from image px to the crop of the mesh, in which the eyes are level and the whole face is centred.

    Args:
        landmarks: (68, 2) iBUG-68, image px.
    """
    eyes = landmarks[42:48].mean(axis=0) - landmarks[36:42].mean(axis=0)
    right = eyes / max(float(np.hypot(*eyes)), 1e-6)
    axes = np.array([right, [-right[1], right[0]]], np.float64)
    level = landmarks @ axes.T
    low, high = level.min(axis=0), level.max(axis=0)
    longer = max(float((high - low).max()), 1e-6)
    centre = (low + high) / 2 - [0, _CROP_UP * longer]
    zoom = _SIDE / (_CROP_SIDE * longer)
    return np.column_stack([zoom * axes, (_SIDE - 1) / 2 - zoom * centre])


def _flip(points: Floats, last: int) -> Float64:
    """Points (K, 2) in the mirror image of an image whose last column is `last`."""
    return np.asarray([last, 0] + points * [-1, 1], np.float64)


def _sigmoid(logit: float) -> np.float32:
    return np.float32(1 / (1 + np.exp(-logit)))


def _networks(path: Path) -> tuple[Any, Any]:
    """The mesh and the expression network, compiled for one thread."""
    try:
        import openvino
    except ImportError as error:
        raise DataError("the mesh teacher needs OpenVINO: pip install 'openddfa[train]'") from error
    core = openvino.Core()
    check_regular(path, DataError)
    with (
        reading(path, DataError, "not a face_landmarker.task", "see docs/training.md for one"),
        zipfile.ZipFile(path) as archive,
        tempfile.TemporaryDirectory() as folder,  # OpenVINO reads TFLite from files only
    ):
        files = [archive.extract(name, folder) for name in (_MESH, _SCORES)]
        mesh, scores = (core.compile_model(file, "CPU", {"INFERENCE_NUM_THREADS": 1}) for file in files)
    return mesh, scores
