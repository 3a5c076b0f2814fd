"""Tracking by landmarks, from frame to frame and without smoothing.

The regressor has no confidence output: it returns a face for any crop. Tracking failures are therefore detected in two
ways: the RoI of the new landmarks must overlap the RoI they were regressed from, and a detector must confirm the face
at intervals, in a small window around the track, which is much cheaper than a search of the whole frame.
"""

from dataclasses import dataclass, field, replace
from typing import Final

import cv2
import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Float32, UInt8
from ddfa.detect import Detections, Detector
from ddfa.detect.detections import box_overlap
from ddfa.detect.yunet import YuNet
from ddfa.faces import Faces
from ddfa.geometry.duplicates import SAME_LANDMARKS, covered_landmarks
from ddfa.geometry.roi import roi_from_landmarks
from ddfa.video.io.source import Frame
from ddfa.video.tracking.motion import boxes_around
from ddfa.video.tracking.shot_boundary import ShotBoundaryDetector

_IDLE: Final = 5  # frames between searches of the whole frame while there is no face
_CHECK: Final = 10  # frames between checks of a track
_PATIENCE: Final = 3  # failed checks in a row until a face is lost
_SAME: Final = 0.3  # IoU from which a box and a track are the same face
_FAILURE: Final = 0.35  # IoU of consecutive RoIs below which tracking has failed
_SMALLEST: Final = 16.0  # px, side of the RoI
_MEMORY: Final = 1.0  # s after which a lost face gets a new id
_WINDOW: Final = 192  # px, largest side of the window in which a track is checked
_CHECK_SCORE: Final = 0.3  # threshold of the checking detector; tracked profiles have lower scores than detected faces


@dataclass(frozen=True, eq=False)
class TrackedDetection:
    """A face in one frame, as regressed.

    Attributes:
        id: of its track, from 0; never reused for another track.
        face: a result with one face; its score is that of the last check.
    """

    id: int
    face: Faces


@dataclass(eq=False)
class _Track:
    id: int
    landmarks: Float32  # (68, 3) px, in the last frame
    score: float
    time: float  # when it was last seen
    velocity: Float32 = field(default_factory=lambda: np.zeros(2, np.float32))  # px a frame
    unchecked: int = 0
    misses: int = 0

    @property
    def box(self) -> Float32:
        return np.asarray(boxes_around(self.landmarks[None])[0])


class Follower:
    """Tracks all faces of a video.

    Args:
        aligner: regresses the faces; its detector finds new ones.
        detect_every: frames between searches of the whole frame for new faces.
        check: detector that confirms a face in a small window; YuNet with a low threshold by default.

    Attributes:
        detections: number of searches of the whole frame so far.
    """

    def __init__(self, aligner: FaceAligner, detect_every: int = 30, check: Detector | None = None) -> None:
        self._aligner, self._every = aligner, max(1, detect_every)
        self._check = check or YuNet(score_threshold=_CHECK_SCORE)
        self._jumps = ShotBoundaryDetector()
        self._tracks: list[_Track] = []
        self._lost: list[_Track] = []
        self._since = self._every  # frames since the whole frame was searched
        self._count = 0
        self.detections = 0

    @property
    def cuts(self) -> int:
        """Number of shot boundaries so far."""
        return self._jumps.cuts

    def __call__(self, frame: Frame) -> list[TrackedDetection]:
        """Process the next frame.

        Returns:
            The faces in it, the oldest track first.
        """
        cut = self._jumps(frame.image)
        if cut:
            self._tracks, self._lost = [], []
        before = len(self._tracks)
        sights = self._track_known(frame)
        self._since += 1
        searched_recently = self._since < (self._every if self._tracks else min(_IDLE, self._every))
        if cut or len(self._tracks) < before or not searched_recently:
            sights += self._search(frame)
        self._lost = [track for track in self._lost if frame.time - track.time <= _MEMORY]
        return sights

    def _track_known(self, frame: Frame) -> list[TrackedDetection]:
        """Regress every track at its predicted position; tracks that fail are moved to the lost ones."""
        size = (frame.image.shape[1], frame.image.shape[0])
        expected = [track.landmarks[:, :2] + track.velocity for track in self._tracks]
        rois = [roi_from_landmarks(points[None])[0] for points in expected]
        inside = [_is_inside(roi, size) for roi in rois]
        self._lose([track for track, good in zip(self._tracks, inside, strict=True) if not good])
        rois = [roi for roi, good in zip(rois, inside, strict=True) if good]
        if not self._tracks:
            return []
        found = Detections(
            np.stack([track.box for track in self._tracks]), np.array([track.score for track in self._tracks])
        )
        faces = self._aligner.align_rois(frame.image, np.stack(rois), found)
        sights, failed = [], []
        for track, roi, face in zip(list(self._tracks), rois, faces, strict=True):
            confirmed = self._confirmed(frame, track, roi, face)
            older = [other for other in self._tracks if other.id < track.id]
            if confirmed is None or _is_covered(track.landmarks, older):
                failed.append(track)
            else:
                sights.append(TrackedDetection(track.id, confirmed))
        self._lose(failed)
        return sights

    def _confirmed(self, frame: Frame, track: _Track, roi: Float32, face: Faces) -> Faces | None:
        """The face of a track, or None; checked by the detector at intervals, and at once if tracking seems to fail."""
        landmarks = face.landmarks68[0]
        suspect = box_overlap(roi_from_landmarks(landmarks[None]), roi)[0] < _FAILURE
        track.unchecked += 1
        if suspect or track.misses or track.unchecked >= _CHECK:
            track.unchecked = 0
            seen = self._detect_near(frame.image, track.box if suspect else boxes_around(landmarks[None])[0])
            track.misses = 0 if seen is not None else track.misses + 1
            if (seen is None and suspect) or track.misses >= _PATIENCE:
                return None
            if seen is not None:
                track.score = float(seen.scores[0])
                if suspect:  # restart from the detected box
                    face = self._aligner(frame.image, boxes=seen.boxes, refine=True)
                    landmarks = face.landmarks68[0]
        _advance(track, landmarks, frame.time)
        return _scored(face, track.score)

    def _detect_near(self, image: UInt8, box: Float32) -> Detections | None:
        """Run the checking detector in a window around a box; returns the detection that overlaps the box, if any."""
        side = 2.0 * float(max(box[2:] - box[:2]))
        centre = (box[:2] + box[2:]) / 2
        x0, y0 = (max(0, int(v - side / 2)) for v in centre)
        window = image[y0 : int(centre[1] + side / 2) + 1, x0 : int(centre[0] + side / 2) + 1]
        if min(window.shape[:2]) < 8:
            return None
        scale = min(1.0, _WINDOW / max(window.shape[:2]))
        small = cv2.resize(window, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else window
        found = self._check(np.ascontiguousarray(small, np.uint8))
        boxes = found.boxes / scale + np.array([x0, y0, x0, y0], np.float32)
        overlaps = box_overlap(boxes, box)
        if not len(overlaps) or overlaps.max() < _SAME:
            return None
        best = int(np.argmax(overlaps))
        return Detections(boxes[best : best + 1], found.scores[best : best + 1])

    def _search(self, frame: Frame) -> list[TrackedDetection]:
        """Detect faces in the whole frame; those without a track get a new one, or the one they lost."""
        self._since = 0
        self.detections += 1
        located = self._aligner.locate(frame.image)
        known = _boxes(self._tracks)
        new = [i for i, box in enumerate(located.found.boxes) if (box_overlap(known, box) < _SAME).all()]
        if not new:
            return []
        (faces,) = self._aligner.align_located([located.select(np.array(new))], refine=True)
        sights: list[TrackedDetection] = []
        for face in faces:
            landmarks, score = face.landmarks68[0], float(face.scores[0])
            if _is_covered(landmarks, self._tracks) or self._is_full:
                continue
            track = self._remembered(landmarks)
            if track is None:
                track = _Track(self._count, landmarks, score, frame.time)
                self._count += 1
            track.landmarks, track.velocity = landmarks, np.zeros(2, np.float32)
            track.score, track.time, track.misses, track.unchecked = score, frame.time, 0, 0
            self._tracks.append(track)
            sights.append(TrackedDetection(track.id, face))
        return sights

    @property
    def _is_full(self) -> bool:
        return 0 < self._aligner.limits.max_faces <= len(self._tracks)

    def _remembered(self, landmarks: Float32) -> _Track | None:
        """The lost track of similar position and size, removed from the list."""
        box = boxes_around(landmarks[None])[0]
        for track in self._lost:
            reach = max(float(max(box[2:] - box[:2])), float(max(track.box[2:] - track.box[:2])))
            near = float(np.linalg.norm((box[:2] + box[2:] - track.box[:2] - track.box[2:]) / 2)) < reach
            if near and float(min(box[2:] - box[:2])) > 0.4 * reach:
                self._lost.remove(track)
                return track
        return None

    def _lose(self, tracks: list[_Track]) -> None:
        for track in tracks:
            self._tracks.remove(track)
            self._lost.append(track)


def _boxes(tracks: list[_Track]) -> Float32:
    """The boxes (n, 4) of tracks."""
    return np.array([track.box for track in tracks], np.float32).reshape(-1, 4)


def _is_covered(landmarks: Float32, tracks: list[_Track]) -> bool:
    """Whether a face lies on top of one of the tracks."""
    others = np.array([track.landmarks for track in tracks], np.float32).reshape(-1, 68, 3)
    return bool((covered_landmarks(landmarks, others) >= SAME_LANDMARKS).any())


def _is_inside(roi: Float32, size: tuple[int, int]) -> bool:
    """Whether at least a third of a RoI is inside the image, and its size is plausible."""
    side = float(roi[2] - roi[0])
    if not (np.isfinite(roi).all() and _SMALLEST <= side <= 4 * max(size)):
        return False
    seen = np.clip(np.minimum(roi[2:], size) - np.maximum(roi[:2], 0), 0, None)
    return float(np.prod(seen)) > side * side / 3


def _advance(track: _Track, landmarks: Float32, time: float) -> None:
    """Update a track; half of its last step is used as velocity: enough for fast heads, and robust to noise."""
    step = landmarks[:, :2].mean(axis=0) - track.landmarks[:, :2].mean(axis=0)
    track.velocity = np.asarray(0.5 * step, np.float32)
    track.landmarks, track.time = landmarks, time


def _scored(face: Faces, score: float) -> Faces:
    return replace(face, scores=np.array([score], np.float32))
