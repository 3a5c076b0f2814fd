"""The video pipeline: frames are read, faces tracked, and every frame with its faces goes to the chosen outputs.

    summary = process_video(open_video("clip.mp4"), FaceAligner(), VideoOutputs(overlay=Path("out.mp4")))

Decoding, tracking, drawing and encoding each run in a thread of their own.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from ddfa.align import FaceAligner
from ddfa.arrays import UInt8
from ddfa.draw.overlay import draw_overlay
from ddfa.draw.styles import DEFAULT_STYLE, EMPTY_STYLE, OverlayStyle
from ddfa.errors import OutputError, VideoError
from ddfa.faces import Faces
from ddfa.video.animation import AnimationWriter
from ddfa.video.io.camera import Window
from ddfa.video.io.frames import Frame, FrameSource, VideoWriter
from ddfa.video.io.threads import Worker, prefetched
from ddfa.video.records import RecordWriter
from ddfa.video.tracking.follower import MEMORY
from ddfa.video.tracking.tracker import FaceTracker, TrackedFace

LOOK_AHEAD: Final = 4  # frames, by default; a camera cannot look ahead


@dataclass(frozen=True)
class VideoOutputs:
    """Where the faces of a video go.

    Attributes:
        overlay: the video with the faces drawn over it, .mp4, .mov, .mkv or .webm.
        records: one record per face and frame, .jsonl or .parquet.
        glb: one face as an animated, textured head.
        track: id of the face for `glb`; by default the one that is largest and longest in view.
        window: whether the drawn frames are shown in a window.

    Raises:
        OutputError: there is no output, or `track` without `glb`.
    """

    overlay: Path | None = None
    records: Path | None = None
    glb: Path | None = None
    track: int | None = None
    window: bool = False

    def __post_init__(self) -> None:
        if self.track is not None and self.glb is None:
            raise OutputError("--track chooses the face for the GLB: name the file with --glb")
        if not (self.files or self.window):
            raise OutputError(
                "nothing to write: name a video with -o, records with --data, a head with --glb, or --show"
            )

    @property
    def files(self) -> list[Path]:
        """The files to write."""
        return [path for path in (self.overlay, self.records, self.glb) if path is not None]


@dataclass(frozen=True)
class TrackingOptions:
    """How faces are tracked; see `FaceTracker`.

    Attributes:
        detect_every: frames between searches of the whole frame for new faces.
        smooth: whether identity, pose and expression are smoothed.
        look_ahead: frames the smoothing looks ahead; None for `LOOK_AHEAD`, or 0 where frames come from a camera.
        memory: seconds after which a lost face gets a new id.

    Raises:
        VideoError: a number is out of range.
    """

    detect_every: int = 30
    smooth: bool = True
    look_ahead: int | None = None
    memory: float = MEMORY

    def __post_init__(self) -> None:
        if self.detect_every < 1 or (self.look_ahead or 0) < 0:
            raise VideoError("--detect-every must be 1 or more, --look-ahead 0 or more")
        if not self.memory >= 0:
            raise VideoError(f"--memory {self.memory}: give 0 seconds or more")

    def tracker(self, aligner: FaceAligner, *, live: bool) -> FaceTracker:
        """Make the tracker for a recorded or a live source."""
        ahead = self.look_ahead if self.look_ahead is not None else 0 if live else LOOK_AHEAD
        return FaceTracker(
            aligner, detect_every=self.detect_every, smooth=self.smooth, look_ahead=ahead, memory=self.memory
        )


@dataclass
class VideoSummary:
    """What was found in a video.

    Attributes:
        frames: frames read.
        with_face: frames that show a face.
        ids: of the tracks.
        cuts: shot boundaries.
        skipped: damaged frames.
        interrupted: whether Ctrl-C ended the run early.
    """

    frames: int = 0
    with_face: int = 0
    ids: set[int] = field(default_factory=set)
    cuts: int = 0
    skipped: int = 0
    interrupted: bool = False

    def add(self, faces: Sequence[TrackedFace]) -> None:
        """Count a frame with its faces."""
        self.frames += 1
        self.with_face += bool(faces)
        self.ids.update(face.id for face in faces)


class Sink(Protocol):
    """An output of the pipeline, open within a `with` block."""

    def put(self, frame: Frame, faces: list[TrackedFace]) -> bool:
        """Accept the next frame; returns False if the user ends the run."""
        ...


def process_video(
    source: FrameSource,
    aligner: FaceAligner,
    outputs: VideoOutputs,
    tracking: TrackingOptions | None = None,
    style: OverlayStyle = DEFAULT_STYLE,
    *,
    limit: int = 0,
    progress: Callable[[Iterable[Frame]], Iterable[Frame]] = iter,
) -> VideoSummary:
    """Track the faces of a video and write the outputs.

    Ctrl-C ends the run early; the files are then finished with the frames processed so far.

    Args:
        source: the frames.
        aligner: regresses the faces.
        outputs: what is written and shown.
        tracking: how faces are tracked.
        style: what is drawn over the frames.
        limit: only the first so many frames; 0 means all.
        progress: wraps the frames, for a progress bar.

    Returns:
        What was found.

    Raises:
        VideoError: the source breaks off, or this machine cannot open a window.
        OutputError: a file cannot be written.
    """
    tracker = (tracking or TrackingOptions()).tracker(aligner, live=source.live)
    summary = VideoSummary()
    with ExitStack() as stack:
        opened = _opened(outputs, source, aligner, style, whole=not limit)
        sinks = [stack.enter_context(sink) for sink in opened]
        try:
            for frame, faces in tracker.follow(progress(_frames(source, limit))):
                go_on = all(sink.put(frame, faces) for sink in sinks)  # the window comes last
                summary.add(faces)
                if not go_on:
                    break
        except KeyboardInterrupt:
            summary.interrupted = True
    summary.cuts, summary.skipped = tracker.follower.cuts, source.skipped
    return summary


class TrackedOverlay:
    """Draws all tracked faces over a frame.

    Args:
        style: what is drawn.
    """

    def __init__(self, style: OverlayStyle) -> None:
        self._style = style

    def __call__(self, image: UInt8, tracked: Sequence[TrackedFace]) -> UInt8:
        """The frame (H, W, 3) uint8 RGB with its faces; the same array if nothing is drawn."""
        if self._style == EMPTY_STYLE or not tracked:
            return image
        return draw_overlay(image, Faces.concat([face.faces for face in tracked]), self._style, sides=None)


class RecordSink(RecordWriter):
    """One record per face and frame."""

    def put(self, frame: Frame, faces: list[TrackedFace]) -> bool:
        """Write the records of a frame."""
        for face in faces:
            self.write(frame, face)
        return True


class AnimationSink(AnimationWriter):
    """One face as an animated head."""

    def put(self, frame: Frame, faces: list[TrackedFace]) -> bool:
        """Collect the motion of a frame."""
        self.add(frame, faces)
        return True


class WindowSink(Window):
    """A window with the drawn frames.

    Args:
        title: of the window.
        draw: draws the faces over a frame.

    Raises:
        VideoError: this OpenCV or this machine has no windows.
    """

    def __init__(self, title: str, draw: TrackedOverlay) -> None:
        super().__init__(title)
        self._draw = draw

    def put(self, frame: Frame, faces: list[TrackedFace]) -> bool:
        """Show a frame; returns False once the user closes the window."""
        return self.show(self._draw(frame.image, faces))


class OverlaySink(VideoWriter):
    """A video with the faces drawn over it; drawing has a thread of its own, next to tracking and encoding.

    Args:
        path: the file.
        source: the frames, whose size, frame rate and audio are kept.
        draw: draws the faces over a frame.
        whole: keep all of the audio; otherwise only up to the last frame.

    Raises:
        OutputError: an unknown format, or the file cannot be created.
    """

    def __init__(self, path: Path, source: FrameSource, draw: TrackedOverlay, *, whole: bool = True) -> None:
        super().__init__(path, source.size, source.fps, audio=source.audio)
        self._draw, self._whole = draw, whole
        self._drawing = Worker(self._draw_frame)

    def put(self, frame: Frame, faces: list[TrackedFace]) -> bool:
        """Queue a frame for drawing."""
        self._drawing.put((frame, faces))
        return True

    def close(self, *, whole: bool = True) -> None:
        """Draw what is queued and finish the file; see `VideoWriter.close`."""
        try:
            self._drawing.close()
        finally:
            super().close(whole=whole and self._whole)

    def _draw_frame(self, item: tuple[Frame, list[TrackedFace]]) -> None:
        frame, faces = item
        self.write(self._draw(frame.image, faces), frame.time)


def _opened(
    outputs: VideoOutputs, source: FrameSource, aligner: FaceAligner, style: OverlayStyle, *, whole: bool
) -> Iterator[AbstractContextManager[Sink]]:
    """Create the sinks one after the other, each entered before the next is created; the window comes last."""
    draw = TrackedOverlay(style)
    if outputs.records is not None:
        yield RecordSink(outputs.records)
    if outputs.overlay is not None:
        yield OverlaySink(outputs.overlay, source, draw, whole=whole)
    if outputs.glb is not None:
        yield AnimationSink(outputs.glb, aligner.head, outputs.track)
    if outputs.window:
        yield WindowSink(source.name, draw)


def _frames(source: FrameSource, limit: int) -> Iterable[Frame]:
    """The frames; those of a file are decoded ahead in a thread of their own."""
    frames: Iterator[Frame] = iter(source) if source.live else prefetched(source)
    return islice(frames, limit) if limit else frames
