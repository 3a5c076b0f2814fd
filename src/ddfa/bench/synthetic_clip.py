"""A video with ground truth made from any photo: the face is at rest, then moves along a known path, with noise.

An image that is only shifted, rotated and scaled in its plane determines where every landmark moves, whatever landmarks
the model predicts; new noise and JPEG compression in every frame imitate a camera.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Float64, Floats, UInt8
from ddfa.bench.metrics import box_size
from ddfa.detect import Detector
from ddfa.errors import DataError
from ddfa.video.io.source import Frame

RATE: Final = 25.0  # frames/s
_SIDE, _FACE = 480, 160  # px, of the frame and of the face in it
_TURN, _WAY, _GROWTH = 24.0, 0.25, 0.1  # amplitudes: degrees (at most 60/s), widths of the face, e-folds
_FREQUENCY: Final = 0.4  # Hz
_NOISE, _QUALITY = 3.0, 85  # standard deviation in grey values; of the JPEG
# Frames not scored at the start and before the motion: there filters converge and look-ahead windows reach over.
SETTLED: Final = 10
_LAGS: Final = np.arange(-2.0, 4.001, 0.05)  # frames


@dataclass(frozen=True, eq=False)
class SyntheticClip:
    """A photo that moves along a path.

    Attributes:
        photo: (H, W, 3) uint8 RGB.
        box: (4,) px, of the face in it.
        count: number of frames; the face is at rest in the first half.
    """

    photo: UInt8
    box: Floats
    count: int = 150

    @staticmethod
    def of_largest_face(photo: UInt8, detector: Detector, count: int = 150, name: str = "the photo") -> "SyntheticClip":
        """Make a clip of the largest face of a photo.

        Args:
            photo: (H, W, 3) uint8 RGB.
            detector: finds the face.
            count: number of frames.
            name: what the error calls the photo.

        Raises:
            DataError: the photo shows no face.
        """
        found = detector(photo)
        if not len(found):
            raise DataError(f"{name} shows no face: choose another photo")
        sizes = np.prod(found.boxes[:, 2:] - found.boxes[:, :2], axis=1)
        return SyntheticClip(photo, found.boxes[int(np.argmax(sizes))], count)

    @property
    def start(self) -> int:
        """The frame in which the face begins to move."""
        return self.count // 2

    def matrix(self, frame: float) -> Float64:
        """(2, 3) affine map from pixels of the photo to pixels of a frame; the frame number may be fractional."""
        phase = 2 * np.pi * _FREQUENCY * max(0.0, frame - self.start) / RATE
        angle = np.deg2rad(_TURN) * np.sin(phase)
        size = _FACE / max(self.box[2] - self.box[0], self.box[3] - self.box[1])
        scale = size * np.exp(_GROWTH * np.sin(0.7 * phase))
        linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = np.array([self.box[0] + self.box[2], self.box[1] + self.box[3]]) / 2
        place = _SIDE / 2 + _FACE * _WAY * np.array([np.sin(0.8 * phase), 0.5 * np.sin(1.3 * phase)])
        return np.column_stack([linear, place - linear @ centre])

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Frame]:
        rng = np.random.default_rng(0)
        for number in range(self.count):
            image = cv2.warpAffine(
                self.photo, self.matrix(number), (_SIDE, _SIDE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT
            )
            noisy = np.clip(image + rng.normal(0, _NOISE, image.shape), 0, 255).astype(np.uint8)
            packed = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
            yield Frame(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8), number / RATE, number)


@dataclass(frozen=True)
class Deviation:
    """Root mean square distance of landmarks from where the path moves them, in % of the face's size.

    Attributes:
        rest: while the face is at rest.
        moving: while it moves.
        lag: delay of the path, in frames, that fits the landmarks best while the face moves.
    """

    rest: float
    moving: float
    lag: float


def deviation(video: SyntheticClip, landmarks: Floats) -> Deviation:
    """Compare landmarks with the path.

    Args:
        video: the path.
        landmarks: (count, 68, 2 or 3) px; NaN where the face was not found.

    Returns:
        The deviation from the mean shape of the landmarks at rest, whether or not that shape is correct.

    Raises:
        DataError: too few frames show the face.
    """
    points = np.asarray(landmarks, np.float64)[..., :2]
    numbers = np.flatnonzero(~np.isnan(points[:, 0, 0]))
    numbers = numbers[numbers >= SETTLED]
    resting, moving = numbers[numbers < video.start - SETTLED], numbers[numbers >= video.start]
    if not (len(resting) and len(moving)):
        raise DataError(f"the face was found in too few of {video.count} frames: use more frames or another photo")
    shape = np.mean([_mapped_back(video.matrix(k), points[k]) for k in resting], axis=0)

    def error(frames: NDArray[np.intp], lag: float = 0.0) -> float:
        truth = np.stack([_mapped(video.matrix(k - lag), shape) for k in frames])
        apart = np.square(points[frames] - truth).sum(axis=-1).mean(axis=1)
        return float(100 * np.sqrt(np.mean(apart / box_size(truth) ** 2)))

    lag = float(_LAGS[np.argmin([error(moving, lag) for lag in _LAGS])])
    return Deviation(error(resting), error(moving), lag)


def _mapped(matrix: Float64, points: Float64) -> Float64:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def _mapped_back(matrix: Float64, points: Float64) -> Float64:
    return np.asarray(np.linalg.solve(matrix[:, :2], (points - matrix[:, 2]).T).T)
