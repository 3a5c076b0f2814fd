"""`ddfa bench jitter`: temporal stability of landmarks in a video."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from ddfa.align import FaceAligner
from ddfa.bench.jitter import Track, follow, recorded, score_jitter
from ddfa.bench.report import Report
from ddfa.bench.synthetic_clip import SyntheticClip
from ddfa.bench.temporal_stability import FRAME_BY_FRAME, smoothed_tracks, temporal_stability_report
from ddfa.commands.bench.options import ProtocolOptions
from ddfa.commands.part import WHOLE, PartOptions
from ddfa.detect.yunet import YuNet
from ddfa.errors import DataError
from ddfa.images import read_image
from ddfa.progress import track
from ddfa.video.io.source import Frame

_SYNTHETIC_FRAMES = 150


def jitter(
    run: ProtocolOptions,
    video: Annotated[Path | None, arg(metavar="FILE|DIR")] = None,
    moved: Annotated[Path | None, arg(metavar="FILE")] = None,
    smoothed: bool = False,
    part: PartOptions = WHOLE,
) -> int:
    """Measure the temporal stability of landmarks: differences between frames in % of the face's size.

    Args:
        run: what is measured, and how. By default the face is tracked by its landmarks; with --detected it is detected
            in every frame.
        video: a video, or a folder or glob pattern of images.
        moved: a photo instead of a video: its face rests, then moves along a known path, with noise added to every
            frame; errors against the path are reported, too.
        smoothed: also measure what `ddfa video` makes of the landmarks: tracked, One-Euro filter, look-ahead smoothing.
        part: of the video; with --moved its limit is the number of frames, by default 150.

    Returns:
        Exit code 0.
    """
    if (video is None) == (moved is None):
        raise DataError("give either --video or --moved, which the landmarks are measured on")
    truth = None
    clip: Iterable[Frame]
    if moved is not None:
        image, expected = read_image(moved), part.limit or _SYNTHETIC_FRAMES
        clip = truth = SyntheticClip.of_largest_face(image, YuNet(), expected, str(moved))
        data = moved.stem
    else:
        assert video is not None
        source = recorded(part.open(video))
        clip, data, expected = source, video.stem, source.count or 0

    def shown(what: str) -> Iterable[Frame]:
        return track(clip, what, expected or None)

    def tracks_of(aligner: FaceAligner) -> list[Track]:
        name = aligner.bundle.name
        plain = follow(aligner, (frame.image for frame in shown(name)), detected=run.detected)
        named = replace(plain, model=FRAME_BY_FRAME)
        return [named, *smoothed_tracks(aligner, shown(f"{name}, smoothed"))] if smoothed else [named]

    tracks = [(aligner.bundle.name, tracks_of(aligner)) for aligner in run.aligners()]
    count = len(tracks[0][1][0].yaw_deg)
    how = ("detected in every frame" if run.detected else "tracked") + ", shape only" * run.aligned
    title = f"jitter, % of the face's size, on {data} ({count} frames; {how})"
    settings = {"data": data, "frames": count, "detected": run.detected, "aligned": run.aligned}
    if smoothed or truth:
        report = temporal_stability_report(tracks, title, truth, align=run.aligned)
        return run.finish(replace(report, settings={**report.settings, **settings}))
    plain = [replace(one, model=name) for name, found in tracks for one in found]
    scores = [score for one in plain for score in score_jitter(one, align=run.aligned)]
    return run.finish(Report.of_scores(title, "jitter, % of the face's size", scores, settings))
