"""Face tracking in a video: stable ids, converging identity, smooth pose and expression."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ddfa.align import FaceAligner
from ddfa.detect import Detector
from ddfa.faces import Faces
from ddfa.head.model import HeadModel
from ddfa.person.compensation import IdentityCompensation
from ddfa.video.io.source import Frame
from ddfa.video.tracking.follower import MEMORY, Follower, TrackedDetection
from ddfa.video.tracking.smoother import TrackSmoother


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """A face in one frame of a video.

    Attributes:
        id: the same number in all frames of its track, from 0.
        faces: a result with this one face, smoothed if the tracker smooths.
    """

    id: int
    faces: Faces


class FaceTracker:
    """Tracks and smooths the faces of one video.

        tracker = FaceTracker(FaceAligner())
        for frame in open_video(0):
            for face in tracker(frame):
                face.id, face.faces.landmarks68

    Args:
        aligner: regresses the faces; its detector finds new ones.
        detect_every: frames between searches of the whole frame for new faces.
        smooth: whether identity, pose and expression are smoothed.
        look_ahead: frames by which `follow` delays its output, to smooth without lag; a call itself never waits.
        check: see `Follower`.
        memory: seconds after which a lost face gets a new id.

    Attributes:
        follower: counts shot boundaries and searches of the whole frame.
    """

    def __init__(
        self,
        aligner: FaceAligner,
        *,
        detect_every: int = 30,
        smooth: bool = True,
        look_ahead: int = 0,
        check: Detector | None = None,
        memory: float = MEMORY,
    ) -> None:
        self.follower = Follower(aligner, detect_every, check, memory)
        self._smoother = FaceSmoother(aligner.head, look_ahead) if smooth else None

    def __call__(self, frame: Frame) -> list[TrackedFace]:
        """Process the next frame; smoothing uses earlier frames only.

        Returns:
            The faces in it, the oldest track first.
        """
        detections = self.follower(frame)
        return _unsmoothed(detections) if self._smoother is None else self._smoother(frame, detections)

    def follow(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, list[TrackedFace]]]:
        """Track a whole video, with the look-ahead.

        Args:
            frames: in temporal order.

        Yields:
            Every frame with its faces.
        """
        detected = ((frame, self.follower(frame)) for frame in frames)
        if self._smoother is not None:
            yield from self._smoother.smooth(detected)
        else:
            for frame, detections in detected:
                yield frame, _unsmoothed(detections)


class FaceSmoother:
    """Smooths the tracks of one video; a track that is interrupted starts again without its past.

    Args:
        head: the head model of the faces.
        look_ahead: frames by which `smooth` delays its output; a call itself never waits.
    """

    def __init__(self, head: HeadModel, look_ahead: int = 0) -> None:
        self._head, self._ahead = head, look_ahead
        self._tracks: dict[int, TrackSmoother] = {}
        self._compensation: IdentityCompensation | None = None

    def __call__(self, frame: Frame, detections: list[TrackedDetection]) -> list[TrackedFace]:
        """Smooth the faces of the next frame; uses earlier frames only."""
        self._tracks = {detection.id: self._track_of(detection, 0) for detection in detections}
        faces = [(one.id, self._tracks[one.id].add(frame.time, one.face)) for one in detections]
        return [TrackedFace(id, face) for id, face in faces if face is not None]

    def smooth(
        self, detected: Iterable[tuple[Frame, list[TrackedDetection]]]
    ) -> Iterator[tuple[Frame, list[TrackedFace]]]:
        """Smooth a whole video, with the look-ahead.

        Args:
            detected: the frames in temporal order, each with what `Follower` returns for it.

        Yields:
            Every frame with its faces.
        """
        if not self._ahead:
            for frame, detections in detected:
                yield frame, self(frame, detections)
            return
        waiting: deque[_Waiting] = deque()
        for frame, detections in detected:
            # A track that does not go on in this frame has ended: its delayed faces are output now.
            going_on = {detection.id for detection in detections if not detection.restarted}
            for id in self._tracks.keys() - going_on:
                _fill_oldest(waiting, id, self._tracks.pop(id).finish())
            waiting.append(_Waiting(frame, {detection.id: None for detection in detections}))
            for detection in detections:
                self._tracks[detection.id] = self._track_of(detection, self._ahead)
                face = self._tracks[detection.id].add(frame.time, detection.face)
                _fill_oldest(waiting, detection.id, [] if face is None else [face])
            if len(waiting) > self._ahead:
                yield waiting.popleft().done()
        for id, track in self._tracks.items():
            _fill_oldest(waiting, id, track.finish())
        self._tracks = {}
        while waiting:
            yield waiting.popleft().done()

    def _track_of(self, detection: TrackedDetection, look_ahead: int) -> TrackSmoother:
        if self._compensation is None:
            self._compensation = IdentityCompensation(self._head, detection.face.layout)
        past = None if detection.restarted else self._tracks.get(detection.id)
        return past or TrackSmoother(self._compensation, look_ahead)


@dataclass(eq=False)
class _Waiting:
    """A frame whose faces are not all smoothed yet."""

    frame: Frame
    faces: dict[int, Faces | None]

    def done(self) -> tuple[Frame, list[TrackedFace]]:
        return self.frame, [TrackedFace(id, face) for id, face in self.faces.items() if face is not None]


def _unsmoothed(detections: Iterable[TrackedDetection]) -> list[TrackedFace]:
    return [TrackedFace(detection.id, detection.face) for detection in detections]


def _fill_oldest(waiting: Iterable[_Waiting], id: int, faces: list[Faces]) -> None:
    """Assign the next smoothed faces of a track to the oldest frames that lack them."""
    lacking = (one for one in waiting if id in one.faces and one.faces[id] is None)
    for one, face in zip(lacking, faces, strict=False):
        one.faces[id] = face
