"""What tracking and smoothing do to landmarks in a video, compared with frame-by-frame results."""

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
from ddfa.video.tracking.follower import Follower
from ddfa.video.tracking.tracker import FaceSmoother

FRAME_BY_FRAME: Final = "frame by frame"
_NO_IMAGE: Final = np.zeros((0, 0, 3), np.uint8)


def smoothed_tracks(aligner: FaceAligner, frames: Iterable[Frame], look_aheads: Sequence[int] = (0, 4)) -> list[Track]:
    """Track the largest face of the first frame that shows one, as `ddfa video` does.

    Args:
        aligner: the model and its detector.
        frames: the video.
        look_aheads: frames to look ahead; 0 for One-Euro filters, which use earlier frames only.

    Returns:
        The track without smoothing, then smoothed in each way; `model` names the way.

    Raises:
        DataError: no frame shows a face.
    """
    follower = Follower(aligner)
    # The faces are smoothed several times: only the times of the frames are needed then.
    detected = [(replace(frame, image=_NO_IMAGE), follower(frame)) for frame in frames]
    first = next((detections for _, detections in detected if detections), None)
    if first is None:
        raise DataError("the video shows no face: choose another")
    id = max(first, key=lambda detection: float(detection.face.scale[0])).id
    one_face = [(frame, [face for face in detections if face.id == id]) for frame, detections in detected]
    tracks = [_track("tracked", [faces[0].face if faces else None for _, faces in one_face])]
    for ahead in look_aheads:
        smoothed = FaceSmoother(aligner.head, ahead).smooth(one_face)
        name = f"look ahead {ahead}" if ahead else "One-Euro"
        tracks.append(_track(name, [faces[0].faces if faces else None for _, faces in smoothed]))
    return tracks


def temporal_stability_report(
    tracks: Sequence[tuple[str, Sequence[Track]]],
    title: str,
    truth: SyntheticClip | None = None,
    *,
    align: bool = False,
) -> Report:
    """Compare tracks.

    Args:
        tracks: of each model, by name; the first track is what the others are compared with.
        title: what was measured, on what and how.
        truth: the path of the face, if it is known; the differences are then those at rest.
        align: see `score_jitter`.

    Returns:
        First and second differences, how many times smaller they are than those of the first track, and error and lag
        against the truth.
    """
    columns = ["model", "of", "first difference", "reduced", "second difference", "reduced", "missed"]
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


def _track(name: str, faces: Sequence[Faces | None]) -> Track:
    nothing = np.full((68, 3), np.nan, np.float32)
    points = np.array([nothing if face is None else face.landmarks68[0] for face in faces], np.float32)
    yaw = np.array([np.nan if face is None else face.euler_deg[0, 0] for face in faces], np.float32)
    return Track(name, points, yaw, 0)
