"""Replaces faces in a video, frame by frame and without flicker."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from ddfa.errors import NoFaceError
from ddfa.images import SyntheticImage
from ddfa.provenance.c2pa import C2paSigner
from ddfa.provenance.video import SyntheticVideoWriter
from ddfa.replace.likeness import Likeness
from ddfa.replace.replacer import Replacer
from ddfa.replace.temporal import TemporalState
from ddfa.video.io.frames import Frame, FrameSource
from ddfa.video.io.threads import prefetched
from ddfa.video.tracking.tracker import FaceTracker, TrackedFace

LIMIT: Final = 256  # px; longest side at which faces are rendered, for real-time speed


class FrameEditor(Protocol):
    """Edits the faces of a video.

    Attributes:
        replaced: number of frames so far in which a face was replaced.
    """

    replaced: int

    def frames(self, source: Iterable[Frame]) -> Iterator[tuple[SyntheticImage, float]]:
        """Yield every frame as edited, with its time in seconds."""
        ...


def write_edited(
    path: Path,
    source: FrameSource,
    editor: FrameEditor,
    *,
    label: bool = False,
    signer: C2paSigner | None = None,
    limit: int = 0,
    progress: Callable[[Iterable[Frame]], Iterable[Frame]] = iter,
) -> int:
    """Write the frames of a source as edited, marked as synthetic; size, rate and audio are kept.

    Args:
        path: the video to write.
        source: the frames.
        editor: edits them.
        label: also write "SYNTHETIC FACE" into every frame.
        signer: signs the file.
        limit: edit only the first N frames; 0 for all.
        progress: wraps the frames, for a progress bar.

    Returns:
        Number of frames written.

    Raises:
        NoFaceError: no frame shows the face, or it is not suitable; no file is written then.
        OutputError: the file cannot be written.
    """
    frames = progress(islice(source, limit or None))
    writer = SyntheticVideoWriter(path, source.size, source.fps, audio=source.audio, label=label, signer=signer)
    with writer:
        writer.keep = False  # until a face is replaced
        for image, time in editor.frames(frames):
            writer.keep = editor.replaced > 0
            writer.write(image, time)
    if not editor.replaced:
        raise NoFaceError(f"{source.name} shows no face: choose another file")
    return writer.written


class VideoReplacer:
    """Replaces faces in the frames of one video.

    Args:
        replacer: replaces single faces.
        tracker: tracks and smooths the faces.
        chosen: track id of the face to replace, 0 is the largest of the first frame; a likeness for the face that is
            most alike; None for all.
        min_quality: least suitability of a face when it first appears, see `ddfa.replace.suitability`.

    Attributes:
        replaced: number of frames so far in which a face was replaced.

    Raises:
        UnsuitableError: while frames are edited, if a face does not have the least suitability.
    """

    def __init__(
        self, replacer: Replacer, tracker: FaceTracker, chosen: int | Likeness | None = 0, min_quality: float = 0.0
    ) -> None:
        self._replacer, self._tracker, self._chosen, self._least = replacer, tracker, chosen, min_quality
        self._distances: dict[int, float] = {}
        self._judged: set[int] = set()
        self._memories: dict[int, TemporalState] = {}
        self.replaced = 0

    def __call__(self, frame: Frame) -> SyntheticImage:
        """The frame with its faces replaced, a new image."""
        return self._replaced(frame, self._tracker(frame))

    def _replaced(self, frame: Frame, tracked: list[TrackedFace]) -> SyntheticImage:
        chosen = self._wanted(frame, tracked)
        for face in chosen:
            if face.id not in self._judged:
                self._judged.add(face.id)
                self._replacer.suitability(frame.image, face.faces).require(self._least)
        self._memories = {face.id: self._memories.get(face.id, TemporalState()) for face in chosen}
        result = SyntheticImage(frame.image)
        for face in chosen:
            self._replacer.draw(result, face.faces, self._memories[face.id])
        self.replaced += bool(chosen)
        return result

    def _wanted(self, frame: Frame, tracked: list[TrackedFace]) -> list[TrackedFace]:
        """Those of the tracked faces that are replaced."""
        if not isinstance(self._chosen, Likeness):
            return [face for face in tracked if self._chosen in (None, face.id)]
        for face in tracked:
            if face.id not in self._distances:
                self._distances[face.id] = self._chosen.distance(frame.image, face.faces)
        alike = [face for face in tracked if self._distances[face.id] < float("inf")]
        return sorted(alike, key=lambda face: self._distances[face.id])[:1]

    def frames(self, source: Iterable[Frame]) -> Iterator[tuple[SyntheticImage, float]]:
        """Replace faces in all frames; faces are tracked in the next frame while the current one is rendered.

        Args:
            source: the frames of a video.

        Yields:
            The frame with its faces replaced, and its time in seconds.
        """
        for frame, tracked in prefetched(((frame, self._tracker(frame)) for frame in source), depth=1):
            yield self._replaced(frame, tracked), frame.time
