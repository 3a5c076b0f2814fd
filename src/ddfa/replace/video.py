"""Faces replaced in a video, frame by frame, steadily."""

from collections.abc import Iterable, Iterator
from typing import Final

from ddfa.images import SyntheticImage
from ddfa.replace.replacer import Replacer
from ddfa.replace.temporal import TemporalState
from ddfa.video.io.frames import Frame
from ddfa.video.io.threads import prefetched
from ddfa.video.tracking.tracker import FaceTracker, TrackedFace

LIMIT: Final = 256  # px of the square in which a face is replaced, so that a video keeps its pace


class VideoReplacer:
    """Replaces faces in the frames of one video.

    Args:
        replacer: whose face.
        tracker: follows the faces, and smooths them.
        chosen: id of the one to replace, the first being the largest of the first frame; None for all.

    Attributes:
        replaced: frames in which a face was replaced so far.
    """

    def __init__(self, replacer: Replacer, tracker: FaceTracker, chosen: int | None = 0) -> None:
        self._replacer, self._tracker, self._chosen = replacer, tracker, chosen
        self._memories: dict[int, TemporalState] = {}
        self.replaced = 0

    def __call__(self, frame: Frame) -> SyntheticImage:
        """The frame with its faces replaced, a new image."""
        return self._replaced(frame, self._tracker(frame))

    def _replaced(self, frame: Frame, tracked: list[TrackedFace]) -> SyntheticImage:
        seen = [face for face in tracked if self._chosen in (None, face.id)]
        self._memories = {face.id: self._memories.get(face.id, TemporalState()) for face in seen}
        result = SyntheticImage(frame.image)
        for face in seen:
            self._replacer.draw(result, face.faces, self._memories[face.id])
        self.replaced += bool(seen)
        return result

    def frames(self, source: Iterable[Frame]) -> Iterator[tuple[SyntheticImage, float]]:
        """All frames of a source and their times in seconds; the next one is followed while one is drawn."""
        for frame, tracked in prefetched(((frame, self._tracker(frame)) for frame in source), depth=1):
            yield self._replaced(frame, tracked), frame.time
