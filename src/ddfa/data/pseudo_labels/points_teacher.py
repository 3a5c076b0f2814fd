"""Networks that predict the 68 points of iBUG or the 98 points of WFLW, as teachers of the inner landmarks.

The jaw points of both sets follow the visible outline (the 2D contour convention), which is not the jaw line of our
head. Therefore only the 51 inner points are used: brows, nose, eyes and mouth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, Float64, Floats, UInt8
from ddfa.data.registration.landmark_placement import MIRRORED
from ddfa.errors import DataError
from ddfa.sessions import open_session, session_options

JAW: Final = 17
INNER: Final = 68 - JAW
# Indices in the 98 points of WFLW (Wu et al., "Look at Boundary", CVPR 2018) of the 51 inner points of iBUG, in the
# order of the latter. The brows of WFLW are outlines: their upper edges are used. Its pupils are left out, and so are
# the middles of the upper and lower lids, where iBUG has two points on each lid.
WFLW_INNER: Final = np.r_[
    33:38, 42:47, 51:60, 60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75, 76:96
]  # fmt: skip


@dataclass(frozen=True)
class _Kind:
    """What a network expects and predicts.

    Attributes:
        inner: (51,) indices of the inner points among its points.
        offset: subtracted from the values of its input, 0..255.
        scale: divides them afterwards.
        sides: of its square crops relative to the longer side of the box of the 68 landmarks.
    """

    inner: np.typing.NDArray[np.intp]
    offset: float
    scale: float
    sides: tuple[float, ...]


_IBUG = _Kind(np.arange(JAW, 68), 127.0, 127.0, (1.3, 1.5))
_WFLW = _Kind(WFLW_INNER, 0.0, 255.0, (1.1, 1.3))


class PointsTeacher:
    """A network that maps a square crop to 68 or 98 points.

    The kind is that of the number of its outputs: 196 and more are the 98 points of WFLW, 136 to 195 the 68 of iBUG,
    both x, y of each point in 0..1 of the crop; further outputs, such as a head pose, are ignored. The input is BGR:
    divided by 255 for 98 points (as in PFLD), (x - 127) / 127 for 68 points (as in Peppa-Facial-Landmark).

    Args:
        path: an ONNX file with one input (1, 3, S, S).

    Raises:
        DataError: the file is missing, or not such a network.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._session = open_session(str(path), session_options(threads=1))
        except Exception as error:  # the exception types of ONNX Runtime are not public
            raise DataError(f"cannot open the points teacher {path} ({error})") from error
        (entry, *more), output = self._session.get_inputs(), self._session.get_outputs()[0]
        values = output.shape[-1] if output.shape else None
        square = len(entry.shape) == 4 and entry.shape[1] == 3 and entry.shape[2] == entry.shape[3]
        if more or not square or not isinstance(entry.shape[3], int) or not isinstance(values, int) or values < 136:
            raise DataError(
                f"{path} maps {entry.shape} to {output.shape}: a points teacher maps (1, 3, S, S) to 68 or 98 points"
            )
        self._name, self._side = entry.name, entry.shape[3]
        self._kind = _WFLW if values >= 196 else _IBUG

    def observe(self, photos: Sequence[UInt8], landmarks: Floats) -> Float32:
        """Predict the inner points: means over crops of several sizes and their mirror images.

        Args:
            photos: n images (H, W, 3) uint8 RGB.
            landmarks: (n, 68, 2) iBUG-68, image px, which define place and size of the crops.

        Returns:
            (n, 51, 2) float32 image px: landmarks 17 to 67 of iBUG.
        """
        found = np.zeros((len(photos), INNER, 2), np.float32)
        for k, (photo, points) in enumerate(zip(photos, landmarks, strict=True)):
            found[k] = np.mean([self._view(photo, points, side) for side in self._kind.sides], axis=0)
        return found

    def _view(self, photo: UInt8, landmarks: Floats, side: float) -> Float64:
        """Inner points (51, 2) in one crop, averaged with its mirror image."""
        affine = crop_affine(landmarks, side, self._side)
        crop = np.asarray(cv2.warpAffine(photo, affine, (self._side, self._side), flags=cv2.INTER_LINEAR), np.uint8)
        plain, mirrored = self._points(crop), self._points(crop[:, ::-1])
        mirrored = (mirrored * [-1, 1] + [self._side - 1, 0])[_INNER_MIRRORED]
        in_crop = (plain + mirrored) / 2
        return np.asarray((in_crop - affine[:, 2]) / affine[0, 0], np.float64)

    def _points(self, crop: UInt8) -> Float64:
        """Inner points (51, 2) in a crop, crop px."""
        kind = self._kind
        values = (crop[None, ..., ::-1].astype(np.float32) - np.float32(kind.offset)) / np.float32(kind.scale)
        output = self._session.run(None, {self._name: np.ascontiguousarray(values.transpose(0, 3, 1, 2))})[0]
        points = np.asarray(output, np.float64).ravel()
        return points[: len(points) // 2 * 2].reshape(-1, 2)[kind.inner] * self._side


_INNER_MIRRORED: Final = MIRRORED[JAW:] - JAW


def crop_affine(landmarks: Floats, factor: float, side: int) -> Float64:
    """(2, 3) map from image px to a square crop around landmarks.

    Args:
        landmarks: (68, 2) image px.
        factor: side of the square relative to the longer side of the landmarks' box, in whose centre it is.
        side: of the crop, px.
    """
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    zoom = side / (factor * max(float((high - low).max()), 1e-6))
    shift = (side - 1) / 2 - zoom * (low + high) / 2
    return np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]], np.float64)
