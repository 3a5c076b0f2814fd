"""Replaces faces in a video, frame by frame and without flicker."""

from collections.abc import Iterable, Iterator
from typing import Final

from ddfa.images import SyntheticImage
from ddfa.replace.replacer import Replacer
from ddfa.replace.temporal import TemporalState
from ddfa.video.io.frames import Frame
from ddfa.video.io.threads import prefetched
from ddfa.video.tracking.tracker import FaceTracker, TrackedFace

LIMIT: Final = 256  # px; longest side at which faces are rendered, for real-time speed


class VideoReplacer:
    """Replaces faces in the frames of one video.

    Args:
        replacer: replaces single faces.
        tracker: tracks and smooths the faces.
        chosen: track id of the face to replace, 0 is the largest of the first frame; None for all.

    Attributes:
        replaced: number of frames so far in which a face was replaced.
    """

    def __init__(self, replacer: Replacer, tracker: FaceTracker, chosen: int | None = 0) -> None:
        self._replacer, self._tracker, self._chosen = replacer, tracker, chosen
        self._memories: dict[int, TemporalState] = {}
        self.replaced = 0

    def __call__(self, frame: Frame) -> SyntheticImage:
        """The frame with its faces replaced, a new image."""
        return self._replaced(frame, self._tracker(frame))

    def _replaced(self, frame: Frame, tracked: list[TrackedFace]) -> SyntheticImage:
        chosen = [face for face in tracked if self._chosen in (None, face.id)]
        self._memories = {face.id: self._memories.get(face.id, TemporalState()) for face in chosen}
        result = SyntheticImage(frame.image)
        for face in chosen:
            self._replacer.draw(result, face.faces, self._memories[face.id])
        self.replaced += bool(chosen)
        return result

    def frames(self, source: Iterable[Frame]) -> Iterator[tuple[SyntheticImage, float]]:
        """Replace faces in all frames; faces are tracked in the next frame while the current one is rendered.

        Args:
            source: the frames of a video.

        Yields:
            The frame with its faces replaced, and its time in seconds.
        """
        for frame, tracked in prefetched(((frame, self._tracker(frame)) for frame in source), depth=1):
            yield self._replaced(frame, tracked), frame.time
