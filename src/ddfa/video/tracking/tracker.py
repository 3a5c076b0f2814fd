"""Faces through a video: stable ids, settled shapes, calm motion."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ddfa.align import FaceAligner
from ddfa.detect import Detector
from ddfa.faces import Faces
from ddfa.video.io.source import Frame
from ddfa.video.tracking.follower import Follower, TrackedDetection
from ddfa.video.tracking.identity import IdentityCompensation
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
    """Follows and smooths the faces of one video.

        tracker = FaceTracker(FaceAligner())
        for frame in open_video(0):
            for face in tracker(frame):
                face.id, face.faces.landmarks68

    Args:
        aligner: regresses the faces; its detector finds new ones.
        detect_every: frames between looks at the whole frame for new faces.
        smooth: whether identity, pose and expression are smoothed.
        look_ahead: frames that `follow` waits, to smooth without lag; a call itself never waits.
        check: see `Follower`.

    Attributes:
        follower: tells how many cuts there were and how often the whole frame was searched.
    """

    def __init__(
        self,
        aligner: FaceAligner,
        *,
        detect_every: int = 30,
        smooth: bool = True,
        look_ahead: int = 0,
        check: Detector | None = None,
    ) -> None:
        self.follower = Follower(aligner, detect_every, check)
        self._aligner, self._smooth, self._ahead = aligner, smooth, look_ahead if smooth else 0
        self._steady: dict[int, TrackSmoother] = {}
        self._exchange: IdentityCompensation | None = None

    def __call__(self, frame: Frame) -> list[TrackedFace]:
        """Take the next frame; smoothing looks back only.

        Returns:
            The faces in it, the oldest track first.
        """
        sights = self.follower(frame)
        if not self._smooth:
            return [TrackedFace(sight.id, sight.face) for sight in sights]
        self._steady = {sight.id: self._steady_of(sight, 0) for sight in sights}
        faces = [(sight.id, self._steady[sight.id].add(frame.time, sight.face)) for sight in sights]
        return [TrackedFace(id, face) for id, face in faces if face is not None]

    def follow(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, list[TrackedFace]]]:
        """Track a whole video, with the look ahead.

        Args:
            frames: in the order of time.

        Yields:
            Every frame with its faces.
        """
        if not self._ahead:
            for frame in frames:
                yield frame, self(frame)
            return
        waiting: deque[_Waiting] = deque()
        for frame in frames:
            sights = self.follower(frame)
            # A track that is not in this frame has ended: what it still owes is given out, and it starts anew later.
            for id in self._steady.keys() - {sight.id for sight in sights}:
                _settle_debts(waiting, id, self._steady.pop(id).finish())
            waiting.append(_Waiting(frame, {sight.id: None for sight in sights}))
            for sight in sights:
                self._steady[sight.id] = self._steady_of(sight, self._ahead)
                face = self._steady[sight.id].add(frame.time, sight.face)
                _settle_debts(waiting, sight.id, [] if face is None else [face])
            if len(waiting) > self._ahead:
                yield waiting.popleft().done()
        for id, steady in self._steady.items():
            _settle_debts(waiting, id, steady.finish())
        self._steady = {}
        while waiting:
            yield waiting.popleft().done()

    def _steady_of(self, sight: TrackedDetection, look_ahead: int) -> TrackSmoother:
        if self._exchange is None:
            self._exchange = IdentityCompensation(self._aligner.head, sight.face.layout)
        return self._steady.get(sight.id) or TrackSmoother(self._exchange, look_ahead)


@dataclass(eq=False)
class _Waiting:
    """A frame whose faces are not all smoothed yet."""

    frame: Frame
    faces: dict[int, Faces | None]

    def done(self) -> tuple[Frame, list[TrackedFace]]:
        return self.frame, [TrackedFace(id, face) for id, face in self.faces.items() if face is not None]


def _settle_debts(waiting: Iterable[_Waiting], id: int, faces: list[Faces]) -> None:
    """Give the next smoothed faces of a track to the oldest frames that wait for them."""
    owed = (one for one in waiting if id in one.faces and one.faces[id] is None)
    for one, face in zip(owed, faces, strict=False):
        one.faces[id] = face
