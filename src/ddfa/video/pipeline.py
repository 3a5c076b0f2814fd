"""The video pipeline: frames are read, faces tracked, and every frame with its faces goes to the chosen outputs.

    summary = process_video(open_video("clip.mp4"), FaceAligner(), VideoOutputs(overlay=Path("out.mp4")))

Decoding, tracking, drawing and encoding each run in a thread of their own.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from ddfa.align import FaceAligner
from ddfa.draw.styles import DEFAULT_STYLE, OverlayStyle
from ddfa.errors import Terminated, VideoError
from ddfa.video.io.frames import Frame, FrameSource
from ddfa.video.io.threads import prefetched
from ddfa.video.outputs import VideoOutputs, opened
from ddfa.video.tracking.follower import MEMORY
from ddfa.video.tracking.tracker import FaceTracker, TrackedFace

LOOK_AHEAD: Final = 4  # frames, by default; a camera cannot look ahead


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
        interrupted: whether Ctrl-C or SIGTERM ended the run early.
        terminated: whether it was SIGTERM.
    """

    frames: int = 0
    with_face: int = 0
    ids: set[int] = field(default_factory=set)
    cuts: int = 0
    skipped: int = 0
    interrupted: bool = False
    terminated: bool = False

    def add(self, faces: Sequence[TrackedFace]) -> None:
        """Count a frame with its faces."""
        self.frames += 1
        self.with_face += bool(faces)
        self.ids.update(face.id for face in faces)


def process_video(
    source: FrameSource,
    aligner: FaceAligner,
    outputs: VideoOutputs,
    tracking: TrackingOptions | None = None,
    style: OverlayStyle = DEFAULT_STYLE,
    *,
    progress: Callable[[Iterable[Frame]], Iterable[Frame]] = iter,
) -> VideoSummary:
    """Track the faces of a video and write the outputs.

    Ctrl-C or SIGTERM ends the run early; the files are then finished with the frames processed so far.

    Args:
        source: the frames.
        aligner: regresses the faces.
        outputs: what is written and shown.
        tracking: how faces are tracked.
        style: what is drawn over the frames.
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
        opening = opened(outputs, source, aligner, style)
        sinks = [stack.enter_context(sink) for sink in opening]
        try:
            for frame, faces in tracker.follow(progress(_frames(source))):
                go_on = all(sink.put(frame, faces) for sink in sinks)  # the window comes last
                summary.add(faces)
                if not go_on:
                    break
        except KeyboardInterrupt as stop:
            summary.interrupted, summary.terminated = True, isinstance(stop, Terminated)
    summary.cuts, summary.skipped = tracker.follower.cuts, source.skipped
    return summary


def _frames(source: FrameSource) -> Iterable[Frame]:
    """The frames; those of a file are decoded ahead in a thread of their own."""
    return iter(source) if source.live else prefetched(source)
