"""What following and smoothing do to landmarks in a video, beside frame by frame."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from ddfa.align import FaceAligner
from ddfa.bench.jitter import Track, score_jitter
from ddfa.bench.report import Report, Scores, Sheet, number
from ddfa.bench.synthetic_clip import SETTLED, SyntheticClip, deviation
from ddfa.errors import DataError
from ddfa.faces import Faces
from ddfa.video.io.source import Frame
from ddfa.video.tracking.follower import Follower, TrackedDetection
from ddfa.video.tracking.identity import IdentityCompensation
from ddfa.video.tracking.smoother import TrackSmoother

FRAME_BY_FRAME: Final = "frame by frame"


def smoothed_tracks(aligner: FaceAligner, frames: Iterable[Frame], look_aheads: Sequence[int] = (0, 4)) -> list[Track]:
    """Follow the largest face of the first frame that shows one, as `ddfa video` does.

    Args:
        aligner: the model and its detector.
        frames: the video.
        look_aheads: frames to look ahead; 0 for the One-Euro filters.

    Returns:
        The track followed only, then smoothed in each way; `model` says how.
    """
    follower, seen, times = Follower(aligner), [], []
    for frame in frames:
        seen.append(follower(frame))
        times.append(frame.time)
    first = next((sights for sights in seen if sights), None)
    if first is None:
        raise DataError("the video shows no face: choose another")
    id = max(first, key=lambda sight: float(sight.face.scale[0])).id
    faces = [_face(sights, id) for sights in seen]
    exchange = IdentityCompensation(aligner.head, first[0].face.layout)
    ways = {"One-Euro" if not n else f"look ahead {n}": _steadied(faces, times, exchange, n) for n in look_aheads}
    return [_track(name, one) for name, one in {"followed": faces, **ways}.items()]


def temporal_stability_report(
    tracks: Sequence[tuple[str, Sequence[Track]]],
    title: str,
    truth: SyntheticClip | None = None,
    *,
    align: bool = False,
) -> Report:
    """Put tracks side by side.

    Args:
        tracks: of each model, by name; the first one is what the others are compared with.
        title: says what was measured on what and how.
        truth: the path, if it is known; the differences are those at rest then.
        align: see `score_jitter`.

    Returns:
        First and second differences, how many times calmer than the first track, and error and lag against the truth.
    """
    columns = ["model", "of", "first difference", "calmer", "second difference", "calmer", "missed"]
    columns += ["error at rest", "error in motion", "lag, frames"] * (truth is not None)
    rows, record, curves = [], [], []
    for model, ways in tracks:
        reference: list[float] = []
        for way in ways:
            scores = score_jitter(way if truth is None else _resting(way, truth), align=align)
            sizes = [score.summary.plain for score in scores]
            reference = reference or sizes
            calmer = [before / size if size else float("nan") for before, size in zip(reference, sizes, strict=True)]
            cells = [f"{sizes[0]:.3f}", f"{calmer[0]:.1f}x", f"{sizes[1]:.3f}", f"{calmer[1]:.1f}x", str(way.missed)]
            known = {"model": model, "of": way.model, "missed": way.missed}
            known |= {"first": sizes[0], "second": sizes[1], "calmer_first": calmer[0], "calmer_second": calmer[1]}
            if truth is not None:
                found = deviation(truth, way.landmarks68)
                cells += [number(found.rest), number(found.moving), number(found.lag)]
                known |= {"error_rest": found.rest, "error_moving": found.moving, "lag": found.lag}
            rows.append((model, way.model, *cells))
            record.append(known)
            curves += [Scores(model, s.errors, s.yaw_deg, s.missed, f"{way.model}, {s.what}") for s in scores[1:]]
    report = Report.of_scores(title, "second difference, % of the face's size", curves, {})
    return replace(report, sheet=Sheet(title, tuple(columns), rows), record=record)


def _resting(track: Track, truth: SyntheticClip) -> Track:
    part = slice(SETTLED, truth.start - SETTLED)
    return replace(track, landmarks68=track.landmarks68[part], yaw_deg=track.yaw_deg[part])


def _face(sights: Sequence[TrackedDetection], id: int) -> Faces | None:
    return next((sight.face for sight in sights if sight.id == id), None)


def _steadied(
    faces: Sequence[Faces | None], times: Sequence[float], exchange: IdentityCompensation, look_ahead: int
) -> list[Faces | None]:
    """Smooth a track; after a gap it starts anew, as in `FaceTracker`."""
    result: list[Faces | None] = []
    steady, given = TrackSmoother(exchange, look_ahead), list[Faces]()
    for face, time in zip([*faces, None], [*times, 0.0], strict=True):
        if face is not None:
            one = steady.add(time, face)
            given += [] if one is None else [one]
            continue
        result += [*given, *steady.finish(), None]
        steady, given = TrackSmoother(exchange, look_ahead), []
    return result[:-1]


def _track(name: str, faces: Sequence[Faces | None]) -> Track:
    nothing = np.full((68, 3), np.nan, np.float32)
    points = np.array([nothing if face is None else face.landmarks68[0] for face in faces], np.float32)
    yaw = np.array([np.nan if face is None else face.euler_deg[0, 0] for face in faces], np.float32)
    return Track(name, points, yaw, 0)
