"""Replaces faces in a video, frame by frame and without flicker."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from ddfa.arrays import Float32
from ddfa.errors import NoFaceError
from ddfa.faces import Faces
from ddfa.images import SyntheticImage
from ddfa.occlusion.temporal import TemporalState
from ddfa.provenance.c2pa import C2paSigner
from ddfa.provenance.video import SyntheticVideoWriter
from ddfa.replace.likeness import Likeness
from ddfa.replace.pairs import Pair, assign
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
    progress: Callable[[Iterable[Frame]], Iterable[Frame]] = iter,
) -> int:
    """Write the frames of a source as edited, marked as synthetic; size, rate and audio are kept.

    Args:
        path: the video to write.
        source: the frames.
        editor: edits them.
        label: also write "SYNTHETIC FACE" into every frame.
        signer: signs the file.
        progress: wraps the frames, for a progress bar.

    Returns:
        Number of frames written.

    Raises:
        NoFaceError: no frame shows the face, or it is not suitable; no file is written then.
        OutputError: the file cannot be written.
    """
    frames = progress(source)
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
        pairs: who replaces whom; a number is the id of a track, 0 is the largest face of the first frame.
        tracker: tracks and smooths the faces.
        min_quality: least suitability of a face when it first appears, see `ddfa.replace.suitability`.

    Attributes:
        replaced: number of frames so far in which a face was replaced.

    Raises:
        UnsuitableError: while frames are edited, if a face does not have the least suitability.
        DDFAError: while frames are edited, if two pairs replace the same face.
    """

    def __init__(self, pairs: Sequence[Pair], tracker: FaceTracker, min_quality: float = 0.0) -> None:
        self._pairs, self._tracker, self._least = pairs, tracker, min_quality
        self._distances: dict[tuple[Likeness, int], float] = {}
        self._memories: dict[tuple[int, int], TemporalState] = {}
        self._judged: set[tuple[int, int]] = set()
        self.replaced = 0

    @property
    def unused(self) -> list[str]:
        """Names of the sources that have replaced nobody so far."""
        used = {index for index, _ in self._judged}
        return [pair.name for index, pair in enumerate(self._pairs) if index not in used]

    def __call__(self, frame: Frame) -> SyntheticImage:
        """The frame with its faces replaced, a new image."""
        return self._replaced(frame, self._tracker(frame))

    @property
    def state(self) -> Mapping[str, Float32]:
        """Running means of the faces of the last frame, see `TemporalState.arrays`."""
        named = ((f"{pair} {id}", memory) for (pair, id), memory in self._memories.items())
        return {f"{key} {name}": array for key, memory in named for name, array in memory.arrays.items()}

    @state.setter
    def state(self, state: Mapping[str, Float32]) -> None:
        arrays: dict[tuple[int, int], dict[str, Float32]] = {}
        for name, array in state.items():
            pair, id, rest = name.split(" ", 2)
            arrays.setdefault((int(pair), int(id)), {})[rest] = array
        self._memories = {key: TemporalState.of(own) for key, own in arrays.items()}

    def _replaced(self, frame: Frame, tracked: list[TrackedFace]) -> SyntheticImage:
        chosen = self._chosen(frame, tracked)
        for key, face in chosen.items():
            if key not in self._judged:
                self._pairs[key[0]].replacer.suitability(frame.image, face).require(self._least)
                self._judged.add(key)
        self._memories = {key: self._memories.get(key, TemporalState()) for key in chosen}
        result = SyntheticImage(frame.image)
        for key, face in chosen.items():
            self._pairs[key[0]].replacer.draw(result, face, self._memories[key])
        self.replaced += bool(chosen)
        return result

    def _followed(self, frame: Frame, tracked: list[TrackedFace]) -> None:
        """Take note of a frame whose faces have been replaced before."""
        chosen = self._chosen(frame, tracked)
        self._judged.update(chosen)
        self.replaced += bool(chosen)

    def _chosen(self, frame: Frame, tracked: list[TrackedFace]) -> dict[tuple[int, int], Faces]:
        """Those of the tracked faces that are replaced, by the number of the pair and the id of the track."""

        def distance(likeness: Likeness, at: int) -> float:
            key = likeness, tracked[at].id
            if key not in self._distances:
                self._distances[key] = likeness.distance(frame.image, tracked[at].faces)
            return self._distances[key]

        found = assign(self._pairs, [face.id for face in tracked], distance)
        return {(index, tracked[at].id): tracked[at].faces for index, chosen in enumerate(found) for at in chosen}

    def frames(self, source: Iterable[Frame], done: int = 0) -> Iterator[tuple[SyntheticImage, float]]:
        """Replace faces in all frames; faces are tracked in the next frame while the current one is rendered.

        Args:
            source: the frames of a video, from the first.
            done: number of frames in which they have been replaced before, by an editor that ended in this `state`:
                in these, faces are only tracked.

        Yields:
            The frame with its faces replaced, and its time in seconds.
        """
        for frame, tracked in prefetched(((frame, self._tracker(frame)) for frame in source), depth=1):
            if frame.index < done:
                self._followed(frame, tracked)
            else:
                yield self._replaced(frame, tracked), frame.time
