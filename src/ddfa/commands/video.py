"""`ddfa video`: track the faces of a video and write overlays, records and animated heads."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from ddfa.align import FaceAligner
from ddfa.commands.camera import NO_CAMERA, CameraOptions
from ddfa.commands.counting import counted
from ddfa.commands.limits import ALL_FACES, LimitOptions
from ddfa.commands.messages import MESSAGES, MessageOptions, complain
from ddfa.commands.part import WHOLE, PartOptions
from ddfa.draw.styles import parse_style
from ddfa.exit_codes import INTERRUPTED, NOTHING_FOUND, OK, TERMINATED
from ddfa.files import check_existing
from ddfa.images import MAX_PIXELS
from ddfa.options import MaxPixels, MaybeFile, ModelName, Overwrite, Regions, Style, Threads
from ddfa.video.tracking.follower import MEMORY

if TYPE_CHECKING:  # needs the extra `video`
    from ddfa.video.pipeline import VideoSummary


def video(
    source: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="VIDEO")]],
    /,
    output: MaybeFile = None,
    data: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    glb: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    to: Annotated[tuple[str, ...], tyro.conf.arg(metavar="URL"), tyro.conf.UseAppendAction] = (),
    track: Annotated[int | None, tyro.conf.arg(metavar="ID")] = None,
    calibrate: Annotated[float | None, tyro.conf.arg(metavar="SECONDS")] = None,
    show: bool = False,
    style: Style = "mesh+landmarks",
    smooth: bool = True,
    look_ahead: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
    detect_every: Annotated[int, tyro.conf.arg(metavar="N")] = 30,
    memory: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = MEMORY,
    part: PartOptions = WHOLE,
    fps: Annotated[float | None, tyro.conf.arg(metavar="FPS")] = None,
    model: ModelName = None,
    threads: Threads = 1,
    regions: Regions = True,
    max_pixels: MaxPixels = MAX_PIXELS,
    overwrite: Overwrite = True,
    messages: MessageOptions = MESSAGES,
    limits: LimitOptions = ALL_FACES,
    camera: CameraOptions = NO_CAMERA,
) -> int:
    """Track the faces of a video or a camera; draw them, export and send what was found in every frame.

    The video's audio, timestamps and rotation are kept; with --start, times count from there. Ctrl-C finishes the files
    with the frames processed so far.
    Exit code 0: faces were found; 1: no frame shows a face; 2: something failed. See docs/video.md.

    Args:
        source: a video, a folder or glob pattern of images, or the number of a camera.
        output: the video with overlays: .mp4, .mov, .mkv or .webm.
        data: one record per face and frame: .jsonl or .parquet; or the motion of one face: .csv (Live Link Face), .bvh.
        glb: one face as an animated, textured head: .glb.
        to: send the motion of one face in real time: vmc://HOST[:PORT] or livelink://HOST[:PORT][/NAME]; may be
            repeated. See docs/live.md.
        track: id of the face for --glb, --to, .csv and .bvh; by default the face that is largest and longest in view.
        calibrate: seconds at the start that define the neutral pose for --to, .csv and .bvh; 1 for --to by default, 0
            for files.
        show: show the frames in a window (q closes it); default for a camera without --output, --data, --glb and --to.
        style: what is drawn; see `ddfa.options`, as for the other options without a description here.
        smooth: smooth identity, pose and expression over time.
        look_ahead: frames the smoothing looks ahead to avoid lag; 4 by default, 0 for a camera.
        detect_every: frames between searches of the whole frame for new faces.
        memory: seconds for which somebody who leaves keeps the id; faces are recognised by their colours.
        part: of the video.
        fps: frame rate of an image sequence; 25 by default.
        model: of the network.
        threads: of the networks.
        regions: whether blendshapes are refined.
        max_pixels: of a frame.
        overwrite: whether files are replaced.
        messages: what is printed.
        limits: which of the detected faces get a track.
        camera: of the video.

    Returns:
        The exit code.
    """
    from ddfa.commands.frame_progress import with_progress
    from ddfa.video.motion.targets import Target
    from ddfa.video.outputs import VideoOutputs
    from ddfa.video.pipeline import TrackingOptions, process_video

    drawn = parse_style(style)
    tracking = TrackingOptions(detect_every, smooth, look_ahead, memory)
    check_existing(overwrite, (output, data, glb))
    frames = part.open(source, fps, max_pixels)
    elsewhere = any(path is not None for path in (output, data, glb)) or bool(to)
    window = show or (frames.live and not elsewhere)
    targets = tuple(map(Target.parse, to))
    outputs = VideoOutputs(output, data, glb, targets, track, calibrate, window)
    summary = process_video(
        frames,
        FaceAligner(model, threads=threads, regions=regions, **asdict(limits), camera=camera.camera()),
        outputs,
        tracking,
        drawn,
        progress=lambda shown: with_progress(shown, frames),
    )
    of_one_face = (glb, outputs.motion_file)
    written = [str(path) for path in (*outputs.files, *targets) if path not in of_one_face or summary.ids]
    text = _line(frames.name, summary) + f" -> {', '.join(written)}" * bool(written)
    messages.result(text, source=frames.name, **asdict(summary) | {"ids": sorted(summary.ids)}, outputs=written)
    if summary.interrupted:
        word, code = ("terminated", TERMINATED) if summary.terminated else ("interrupted", INTERRUPTED)
        complain("video", f"{word}; the frames processed so far are written")
        return code
    return OK if summary.ids else NOTHING_FOUND


def _line(name: str, summary: "VideoSummary") -> str:
    parts = [counted(summary.frames, "frame"), counted(len(summary.ids), "track")]
    parts += [f"a face in {counted(summary.with_face, 'frame')}", counted(summary.cuts, "cut")]
    parts += [f"{counted(summary.skipped, 'damaged frame')} skipped"] * bool(summary.skipped)
    return f"{name}: {', '.join(parts)}"
