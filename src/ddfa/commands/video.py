"""`ddfa video`: faces followed through a video, drawn and written down."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Final, Protocol

import numpy as np
import tyro

from ddfa.align import FaceAligner
from ddfa.arrays import UInt8
from ddfa.commands.counting import counted
from ddfa.draw.overlay import draw_overlay
from ddfa.draw.styles import EMPTY_STYLE, OverlayStyle, parse_style
from ddfa.errors import OutputError, VideoError
from ddfa.exit_codes import INTERRUPTED, NOTHING_FOUND, OK
from ddfa.faces import Faces
from ddfa.video.animation import AnimationWriter
from ddfa.video.io.camera import Window
from ddfa.video.io.frames import Frame, FrameSource, VideoWriter, open_video
from ddfa.video.io.threads import Worker, prefetched
from ddfa.video.records import RecordWriter
from ddfa.video.tracking.tracker import FaceTracker, TrackedFace

_LOOK_AHEAD: Final = 4  # frames, for what is no camera


def video(
    source: tyro.conf.Positional[str],
    /,
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None,
    data: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    glb: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    track: Annotated[int | None, tyro.conf.arg(metavar="ID")] = None,
    show: bool = False,
    style: Annotated[str, tyro.conf.arg(metavar="WORDS")] = "mesh+landmarks",
    smooth: bool = True,
    look_ahead: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
    detect_every: Annotated[int, tyro.conf.arg(metavar="N")] = 30,
    limit: Annotated[int, tyro.conf.arg(metavar="N")] = 0,
    fps: Annotated[float | None, tyro.conf.arg(metavar="FPS")] = None,
    model: Annotated[str | None, tyro.conf.arg(metavar="BUNDLE")] = None,
    threads: Annotated[int | None, tyro.conf.arg(metavar="N")] = 1,
) -> int:
    """Follow the faces of a video; draw them and write them down frame by frame.

    Sound, times and rotation of the video are kept. Ctrl-C finishes the files with what is done by then. Exit code 0:
    faces were found; 1: no frame shows a face; 2: something failed. docs/video.md tells more.

    Args:
        source: a video, a folder or pattern of pictures, or the number of a camera.
        output: the drawn video: .mp4, .mov, .mkv or .webm.
        data: what was found in every frame: .jsonl or .parquet.
        glb: one face as an animated, textured head: .glb.
        track: id of the face for --glb; by default the one that is largest and longest in view.
        show: show the frames in a window (q closes it); what a camera does without --output, --data and --glb.
        style: what is drawn, joined by +: mesh, landmarks, pose, wireframe and more (docs/outputs.md); or none.
        smooth: settle the identity and smooth pose and expression.
        look_ahead: frames the smoothing looks ahead, for no lag; 4 by default, 0 for a camera.
        detect_every: frames between looks at the whole frame for new faces.
        limit: only the first so many frames; 0 means all.
        fps: frames per second of an image sequence; 25 by default.
        model: folder or name of a model bundle; the shipped one by default.
        threads: CPU threads of the network.

    Returns:
        The exit code.
    """
    drawn = EMPTY_STYLE if style == "none" else parse_style(style)
    if detect_every < 1 or (look_ahead or 0) < 0 or limit < 0:
        raise VideoError("--detect-every is 1 or more, --look-ahead and --limit are 0 or more")
    frames = open_video(source, fps)
    if track is not None and glb is None:
        raise OutputError("--track says which face goes into the GLB: name that with --glb")
    outputs = [path for path in (output, data, glb) if path is not None]
    show = show or (frames.live and not outputs)
    if not (outputs or show):
        raise OutputError(
            "nothing to write: name a video with -o, numbers with --data, a head with --glb, or --show it"
        )
    ahead = look_ahead if look_ahead is not None else 0 if frames.live else _LOOK_AHEAD
    aligner = FaceAligner(model, threads=threads)
    draw = _Drawer(aligner, drawn)
    tracker = FaceTracker(aligner, detect_every=detect_every, smooth=smooth, look_ahead=ahead)
    report = _Report()
    with ExitStack() as stack:
        sinks: list[_Sink] = []
        if data is not None:
            sinks.append(stack.enter_context(_Data(data)))
        if output is not None:
            sinks.append(stack.enter_context(_Drawing(output, frames, draw, whole=not limit)))
        if glb is not None:
            sinks.append(stack.enter_context(_Animation(glb, aligner.head, track)))
        if show:
            sinks.append(stack.enter_context(_Live(frames.name, draw)))
        try:
            for frame, faces in tracker.follow(_watched(frames, limit)):
                go_on = all(sink.take(frame, faces) for sink in sinks)  # the window, which may end it, comes last
                report.take(faces)
                if not go_on:
                    break
        except KeyboardInterrupt:
            report.interrupted = True
    written = ", ".join(str(path) for path in outputs if path != glb or report.ids)
    print(report.line(frames, tracker) + (f" -> {written}" if written else ""))
    if report.interrupted:
        print("ddfa video: interrupted; what was done is written", file=sys.stderr)
        return INTERRUPTED
    return OK if report.ids else NOTHING_FOUND


@dataclass
class _Report:
    """What a run found."""

    frames: int = 0
    shown: int = 0
    ids: set[int] = field(default_factory=set)
    interrupted: bool = False

    def take(self, faces: list[TrackedFace]) -> None:
        self.frames += 1
        self.shown += bool(faces)
        self.ids.update(face.id for face in faces)

    def line(self, source: FrameSource, tracker: FaceTracker) -> str:
        parts = [counted(self.frames, "frame"), counted(len(self.ids), "track")]
        parts += [f"a face in {counted(self.shown, 'frame')}", counted(tracker.follower.cuts, "cut")]
        parts += [f"{counted(source.skipped, 'damaged frame')} skipped"] * bool(source.skipped)
        return f"{source.name}: {', '.join(parts)}"


class _Sink(Protocol):
    """Takes every frame with its faces; False once the user wants to leave."""

    def take(self, frame: Frame, faces: list[TrackedFace]) -> bool: ...


class _Data(RecordWriter):
    """The numbers."""

    def take(self, frame: Frame, faces: list[TrackedFace]) -> bool:
        for face in faces:
            self.write(frame, face)
        return True


class _Animation(AnimationWriter):
    """The animated head."""

    def take(self, frame: Frame, faces: list[TrackedFace]) -> bool:
        self.add(frame, faces)
        return True


class _Live(Window):
    """The window."""

    def __init__(self, title: str, draw: "_Drawer") -> None:
        super().__init__(title)
        self._draw = draw

    def take(self, frame: Frame, faces: list[TrackedFace]) -> bool:
        return self.show(self._draw(frame.image, faces))


class _Drawing(VideoWriter):
    """The drawn video; drawing happens in a thread of its own, beside following and encoding."""

    def __init__(self, path: Path, source: FrameSource, draw: "_Drawer", *, whole: bool) -> None:
        super().__init__(path, source.size, source.rate, sound=source.sound)
        self._draw, self._whole = draw, whole
        self._drawn = Worker(self._draw_one)

    def take(self, frame: Frame, faces: list[TrackedFace]) -> bool:
        self._drawn.put((frame, faces))
        return True

    def close(self, *, whole: bool = True) -> None:
        try:
            self._drawn.close()
        finally:
            super().close(whole=whole and self._whole)

    def _draw_one(self, item: tuple[Frame, list[TrackedFace]]) -> None:
        frame, faces = item
        self.write(self._draw(frame.image, faces), frame.time)


class _Drawer:
    """Draws all faces of a frame."""

    def __init__(self, aligner: FaceAligner, style: OverlayStyle) -> None:
        self._aligner, self._style = aligner, style

    def __call__(self, image: UInt8, tracked: list[TrackedFace]) -> UInt8:
        if self._style == EMPTY_STYLE or not tracked:
            return image
        bundle, none = self._aligner.bundle, np.zeros((0, 4), np.float32)
        single = [face.faces for face in tracked]
        faces = Faces(
            boxes=np.concatenate([none, *(face.boxes for face in single)]),
            scores=np.concatenate([none[:, 0], *(face.scores for face in single)]),
            params=np.concatenate([np.zeros((0, bundle.layout.size), np.float32), *(face.params for face in single)]),
            roi=np.concatenate([none, *(face.roi for face in single)]),
            head=self._aligner.head,
            layout=bundle.layout,
            convention=bundle.convention,
            image_size=(image.shape[1], image.shape[0]),
            crop_size=bundle.input_size,
        )
        return draw_overlay(image, faces, self._style, sides=None)


def _watched(source: FrameSource, limit: int) -> Iterable[Frame]:
    """The frames, decoded in a thread of their own, with a bar on a terminal."""
    frames: Iterator[Frame] = iter(source) if source.live else prefetched(source)
    chosen = islice(frames, limit) if limit else frames
    if source.live or not sys.stderr.isatty():
        return chosen
    from rich.console import Console
    from rich.progress import track

    total = min(limit, source.count or limit) if limit else source.count
    return track(chosen, description="following", total=total, console=Console(stderr=True), transient=True)
