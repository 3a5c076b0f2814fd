"""Temporal stability of landmarks in a video: their first and second differences from frame to frame."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Float32, Float64, Floats, UInt8
from ddfa.bench.metrics import aligned, box_size
from ddfa.bench.predict import detect_face
from ddfa.bench.report import Scores
from ddfa.errors import DataError, DetectorError
from ddfa.faces import Faces
from ddfa.video.io.source import FrameSource

# A tracked face is detected again when its RoI gets smaller than this, square px (as in 3DDFA_V2).
_SMALLEST_ROI = 2020.0


@dataclass(frozen=True, eq=False)
class Track:
    """One face through a video.

    Attributes:
        model: the bundle's name.
        landmarks68: (T, 68, 3) float32 px; NaN in frames without a face.
        yaw_deg: (T,) float32; NaN likewise.
        redetected: how often the face had to be detected.
    """

    model: str
    landmarks68: Float32
    yaw_deg: Float32
    redetected: int

    @property
    def missed(self) -> int:
        """Frames without a face."""
        return int(np.isnan(self.yaw_deg).sum())


def recorded(source: FrameSource) -> FrameSource:
    """Refuse a camera, whose frames cannot be read twice.

    Raises:
        DataError: it is one.
    """
    if source.live:
        raise DataError(f"{source.name} is a camera: record a video first, every model needs the same frames")
    return source


def follow(aligner: FaceAligner, frames: Iterable[UInt8], *, detected: bool = False) -> Track:
    """Track the largest face of the first frame that shows one, frame by frame and without smoothing.

    Args:
        aligner: the model and its detector.
        frames: (H, W, 3) uint8 RGB each.
        detected: detect the face in every frame and regress twice; otherwise the RoI comes from the landmarks of the
            previous frame, and the detector runs only while there are none.

    Returns:
        The track.
    """
    points, yaw, redetected = [], [], 0
    last: Float32 | None = None  # landmarks of the previous frame, if it shows the face
    for frame in frames:
        faces = None if detected or last is None else _regressed_around(aligner, frame, last)
        if faces is None:
            faces = detect_face(aligner, frame, last)
            redetected += len(faces)
        last = faces.landmarks68[0] if len(faces) else None
        points.append(np.full((68, 3), np.nan, np.float32) if last is None else last)
        yaw.append(faces.euler_deg[0, 0] if len(faces) else np.float32(np.nan))
    return Track(aligner.bundle.name, np.array(points, np.float32), np.array(yaw, np.float32), redetected)


def score_jitter(track: Track, *, align: bool = False) -> list[Scores]:
    """Score a track.

    Args:
        track: of T frames.
        align: first align both neighbouring frames to the middle one in scale and translation, which leaves changes of
            the shape.

    Returns:
        First and second difference at each frame whose neighbours show the face, too: the mean 2D length over the 68
        landmarks, in % of the face's size. The first includes real motion, the second is almost only noise.
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


def _regressed_around(aligner: FaceAligner, frame: UInt8, last: Float32) -> Faces | None:
    """The face around the last landmarks; None if it has left the image or become too small."""
    try:
        faces = aligner(frame, landmarks=last[None])
    except DetectorError:
        return None
    return faces if np.prod(faces.roi[0, 2:] - faces.roi[0, :2]) >= _SMALLEST_ROI else None
