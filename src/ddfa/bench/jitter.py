"""How quietly landmarks lie in a video: their first and second differences from frame to frame."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Float32, Float64, Floats, UInt8
from ddfa.bench.metrics import aligned, box_size
from ddfa.bench.predict import detect_face
from ddfa.bench.report import Scores
from ddfa.errors import DataError, DetectorError
from ddfa.faces import Faces

# A face followed from frame to frame is lost when its RoI gets smaller than this (3DDFA_V2), square px.
_SMALLEST_ROI = 2020.0


@dataclass(frozen=True, eq=False)
class Track:
    """One face through a video.

    Attributes:
        model: the bundle's name.
        landmarks68: (T, 68, 3) float32 px; NaN in frames without a face.
        yaw_deg: (T,) float32; NaN likewise.
        found_anew: how often the face had to be detected.
    """

    model: str
    landmarks68: Float32
    yaw_deg: Float32
    redetected: int

    @property
    def missed(self) -> int:
        """Frames without a face."""
        return int(np.isnan(self.yaw_deg).sum())


def read_video(path: Path, limit: int = 0) -> Iterator[UInt8]:
    """Read the frames of a video.

    Args:
        path: the file.
        limit: only the first so many frames; 0 means all.

    Yields:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: it cannot be read.
    """
    capture = cv2.VideoCapture(str(path))
    try:
        count = 0
        while not limit or count < limit:
            more, frame = capture.read()
            if not more:
                break
            count += 1
            yield np.ascontiguousarray(np.asarray(frame, np.uint8)[..., ::-1])
        if not count:
            raise DataError(f"{path} is not a readable video: check the path, or convert it to MP4")
    finally:
        capture.release()


def frame_rate(path: Path) -> float:
    """Frames per second of a video; 25 where it does not say."""
    capture = cv2.VideoCapture(str(path))
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    capture.release()
    return rate if rate > 0 else 25.0


def follow(aligner: FaceAligner, frames: Iterable[UInt8], *, detected: bool = False) -> Track:
    """Follow the largest face of the first frame that shows one.

    Args:
        aligner: the model and its detector.
        frames: (H, W, 3) uint8 RGB each.
        detected: detect the face in every frame and regress in two steps; else the RoI comes from the landmarks of
            the frame before, and the detector is asked only while there are none.

    Returns:
        The track.
    """
    points, yaw, anew = [], [], 0
    last: Float32 | None = None  # the landmarks of the frame before, if it shows the face
    for frame in frames:
        faces = None if detected or last is None else _go_on(aligner, frame, last)
        if faces is None:
            faces = detect_face(aligner, frame, last)
            anew += len(faces)
        last = faces.landmarks68[0] if len(faces) else None
        points.append(np.full((68, 3), np.nan, np.float32) if last is None else last)
        yaw.append(faces.euler_deg[0, 0] if len(faces) else np.float32(np.nan))
    return Track(aligner.bundle.name, np.array(points, np.float32), np.array(yaw, np.float32), anew)


def score_jitter(track: Track, *, align: bool = False) -> list[Scores]:
    """Score a track.

    Args:
        track: of T frames.
        align: bring neighbouring frames to the scale and place of the middle one first, which leaves what the shape
            does.

    Returns:
        First and second difference of each frame where its neighbours show the face too: the mean length over the 68
        points in the plane, in % of the size of the face. The first holds real motion, the second almost only noise.
    """
    points = np.asarray(track.landmarks68[..., :2], np.float64)
    before, middle, after = points[:-2], points[1:-1], points[2:]
    whole = ~np.isnan(before + middle + after).any(axis=(1, 2))
    before, middle, after = before[whole], middle[whole], after[whole]
    if align:
        before, after = aligned(before, middle), aligned(after, middle)
    yaw = track.yaw_deg[1:-1][whole]
    size = box_size(middle)
    differences = {"first difference": middle - before, "second difference": before - 2 * middle + after}
    return [
        Scores(track.model, _length(difference, size), yaw, track.missed, name)
        for name, difference in differences.items()
    ]


def _length(difference: Float64, size: Floats) -> Float64:
    return np.asarray(100 * np.linalg.norm(difference, axis=-1).mean(axis=1) / size)


def _go_on(aligner: FaceAligner, frame: UInt8, last: Float32) -> Faces | None:
    """The face around the last landmarks; None when it has left the picture or shrunk away."""
    try:
        faces = aligner(frame, landmarks=last[None])
    except DetectorError:
        return None
    return faces if np.prod(faces.roi[0, 2:] - faces.roi[0, :2]) >= _SMALLEST_ROI else None
