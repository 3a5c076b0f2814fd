"""A video with known truth that anyone can make: the face of a photo at rest, then on a known path, with noise.

A picture that only shifts, turns and grows in its plane says exactly where every landmark has to go, whatever landmarks
the model sees; new noise and JPEG in every frame give the model what cameras give it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ddfa.arrays import Float64, Floats, UInt8
from ddfa.bench.metrics import box_size
from ddfa.errors import DataError
from ddfa.video.io.source import Frame

RATE: Final = 25.0  # frames/s
_SIDE, _FACE = 480, 160  # px, of the frame and of the face in it
_TURN, _WAY, _GROWTH = 24.0, 0.25, 0.1  # amplitudes: degrees (at most 60/s), widths of the face, e-folds
_FREQUENCY: Final = 0.4  # Hz
_NOISE, _QUALITY = 3.0, 85  # standard deviation in grey values; of the JPEG
SETTLED: Final = 10  # frames that do not count, at the start and before the motion: filters start, windows look ahead
_LAGS: Final = np.arange(-2.0, 4.001, 0.05)  # frames


@dataclass(frozen=True, eq=False)
class SyntheticClip:
    """A photo on a path.

    Attributes:
        photo: (H, W, 3) uint8 RGB.
        box: (4,) px, of the face in it.
        count: frames; the face rests in the first half.
    """

    photo: UInt8
    box: Floats
    count: int = 150

    @property
    def start(self) -> int:
        """The frame in which the face begins to move."""
        return self.count // 2

    def matrix(self, frame: float) -> Float64:
        """(2, 3) that carries places of the photo into a frame, which need not be a whole number."""
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
            picture = cv2.warpAffine(
                self.photo, self.matrix(number), (_SIDE, _SIDE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT
            )
            noisy = np.clip(picture + rng.normal(0, _NOISE, picture.shape), 0, 255).astype(np.uint8)
            packed = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
            yield Frame(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8), number / RATE, number)


@dataclass(frozen=True)
class Deviation:
    """How far landmarks are from where the path takes them, root mean square in % of the face's size.

    Attributes:
        rest: while the face rests.
        moving: while it moves.
        lag: frames by which the path has to be late to fit best while it moves.
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
        The deviation from the shape that the landmarks have on average at rest, right or wrong.

    Raises:
        DataError: too few frames show the face.
    """
    points = np.asarray(landmarks, np.float64)[..., :2]
    numbers = np.flatnonzero(~np.isnan(points[:, 0, 0]))
    numbers = numbers[numbers >= SETTLED]
    resting, moving = numbers[numbers < video.start - SETTLED], numbers[numbers >= video.start]
    if not (len(resting) and len(moving)):
        raise DataError(f"the face was hardly found in {video.count} frames: take more of them, or another photo")
    shape = np.mean([_back(video.matrix(k), points[k]) for k in resting], axis=0)

    def error(frames: NDArray[np.intp], lag: float = 0.0) -> float:
        truth = np.stack([_carried(video.matrix(k - lag), shape) for k in frames])
        apart = np.square(points[frames] - truth).sum(axis=-1).mean(axis=1)
        return float(100 * np.sqrt(np.mean(apart / box_size(truth) ** 2)))

    lag = float(_LAGS[np.argmin([error(moving, lag) for lag in _LAGS])])
    return Deviation(error(resting), error(moving), lag)


def _carried(matrix: Float64, points: Float64) -> Float64:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def _back(matrix: Float64, points: Float64) -> Float64:
    return np.asarray(np.linalg.solve(matrix[:, :2], (points - matrix[:, 2]).T).T)
