"""The outputs of the video pipeline: where the faces of a video go."""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ddfa.align import FaceAligner
from ddfa.arrays import UInt8
from ddfa.draw.overlay import draw_overlay
from ddfa.draw.styles import EMPTY_STYLE, OverlayStyle
from ddfa.errors import OutputError
from ddfa.faces import Faces
from ddfa.video.animation import AnimationWriter
from ddfa.video.io.camera import Window
from ddfa.video.io.frames import Frame, FrameSource, VideoWriter
from ddfa.video.io.threads import Worker
from ddfa.video.motion.files import SUFFIXES as MOTION_SUFFIXES
from ddfa.video.motion.files import MotionWriter
from ddfa.video.motion.sender import CALIBRATION_S, MotionSender
from ddfa.video.motion.targets import Target
from ddfa.video.records import RecordWriter
from ddfa.video.tracking.tracker import TrackedFace


@dataclass(frozen=True)
class VideoOutputs:
    """Where the faces of a video go.

    Attributes:
        overlay: the video with the faces drawn over it, .mp4, .mov, .mkv or .webm.
        records: one record per face and frame, .jsonl or .parquet; or the motion of one face, .csv or .bvh.
        glb: one face as an animated, textured head.
        targets: who receives the motion of one face over the network.
        track: id of the face for the outputs of one face; by default the one that is largest and longest in view.
        calibrate: seconds that define the neutral pose of motions; None for 1 s over the network and 0 in files.
        window: whether the drawn frames are shown in a window.

    Raises:
        OutputError: there is no output, or an option has no output that it applies to.
    """

    overlay: Path | None = None
    records: Path | None = None
    glb: Path | None = None
    targets: tuple[Target, ...] = ()
    track: int | None = None
    calibrate: float | None = None
    window: bool = False

    def __post_init__(self) -> None:
        if self.track is not None and not (self.glb or self.has_motion):
            raise OutputError("--track chooses the face of --glb, --to and --data FILE.csv or .bvh: name one of them")
        if self.calibrate is not None and not self.has_motion:
            raise OutputError("--calibrate is for --to and --data FILE.csv or .bvh: name one of them")
        if self.calibrate is not None and not 0 <= self.calibrate < math.inf:
            raise OutputError(f"--calibrate {self.calibrate}: give 0 seconds or more")
        if not (self.files or self.targets or self.window):
            raise OutputError(
                "nothing to write: name a video with -o, records with --data, a head with --glb, a receiver with --to, "
                "or --show"
            )

    @property
    def has_motion(self) -> bool:
        """Whether the motion of one face is written or sent."""
        return bool(self.targets) or self.motion_file is not None

    @property
    def motion_file(self) -> Path | None:
        """The file of `records` if it has the motion of one face."""
        return self.records if self.records is not None and self.records.suffix.lower() in MOTION_SUFFIXES else None

    @property
    def files(self) -> list[Path]:
        """The files to write."""
        return [path for path in (self.overlay, self.records, self.glb) if path is not None]


class Sink(Protocol):
    """An output of the pipeline, open within a `with` block."""

    def put(self, frame: Frame, faces: list[TrackedFace]) -> bool:
        """Accept the next frame; returns False if the user ends the run."""
        ...


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


class MotionSink(MotionWriter):
    """The motion of one face as a file."""

    def put(self, frame: Frame, faces: list[TrackedFace]) -> bool:
        """Collect the motion of a frame."""
        self.add(frame, faces)
        return True


class NetworkSink(MotionSender):
    """The motion of one face over the network."""

    def put(self, frame: Frame, faces: list[TrackedFace]) -> bool:
        """Send the motion of a frame."""
        self.send(frame, faces)
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

    Raises:
        OutputError: an unknown format, or the file cannot be created.
    """

    def __init__(self, path: Path, source: FrameSource, draw: TrackedOverlay) -> None:
        super().__init__(path, source.size, source.fps, audio=source.audio)
        self._draw = draw
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
            super().close(whole=whole)

    def _draw_frame(self, item: tuple[Frame, list[TrackedFace]]) -> None:
        frame, faces = item
        self.write(self._draw(frame.image, faces), frame.time)


def opened(
    outputs: VideoOutputs, source: FrameSource, aligner: FaceAligner, style: OverlayStyle
) -> Iterator[AbstractContextManager[Sink]]:
    """Create the outputs one after the other, each to be entered before the next is created; the window comes last.

    Args:
        outputs: which.
        source: the frames.
        aligner: its head model is that of the faces.
        style: what is drawn over the frames.
    """
    draw = TrackedOverlay(style)
    if outputs.motion_file is not None:
        seconds = outputs.calibrate or 0.0
        yield MotionSink(outputs.motion_file, aligner.head, source.fps, calibrate=seconds, track=outputs.track)
    elif outputs.records is not None:
        yield RecordSink(outputs.records)
    if outputs.overlay is not None:
        yield OverlaySink(outputs.overlay, source, draw)
    if outputs.glb is not None:
        yield AnimationSink(outputs.glb, aligner.head, outputs.track)
    if outputs.targets:
        seconds = CALIBRATION_S if outputs.calibrate is None else outputs.calibrate
        yield NetworkSink(
            outputs.targets, aligner.head, source.fps, calibrate=seconds, track=outputs.track, live=source.live
        )
    if outputs.window:
        yield WindowSink(source.name, draw)
