"""`ddfa bench ...`: model bundles measured side by side."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track

from ddfa.align import FaceAligner
from ddfa.bench.apertures import (
    Apertures,
    annotated,
    apertures_from_labels,
    apertures_from_mesh,
    apertures_from_model,
    apertures_report,
    held_out_photos,
    joined,
)
from ddfa.bench.curves import RunCurves, draw_curves
from ddfa.bench.expression import ReferenceScores, agreement_report, agreements, mesh_scores
from ddfa.bench.jitter import Track, follow, frame_rate, read_video, score_jitter
from ddfa.bench.landmarks import LandmarkOptions, Normaliser, score
from ddfa.bench.original_sets import OriginalSet, load_points21, score21
from ddfa.bench.pose import score_pose, within
from ddfa.bench.predict import Predictions, Watch, predict
from ddfa.bench.report import Report, Scores
from ddfa.bench.sets import AnnotatedSet, true_landmarks
from ddfa.bench.skin_tone import by_tone as scores_by_tone
from ddfa.bench.skin_tone import tone_groups
from ddfa.bench.synthetic_clip import SyntheticClip
from ddfa.bench.temporal_stability import FRAME_BY_FRAME, smoothed_tracks, temporal_stability_report
from ddfa.data.sets.photos import Photos
from ddfa.detect.yunet import YuNet
from ddfa.errors import DataError
from ddfa.exit_codes import OK
from ddfa.files import make_folder
from ddfa.images import read_image, write_image
from ddfa.regress.registry import DEFAULT, find_bundle
from ddfa.video.io.source import Frame

# The threshold of the published figures: on cropped photos of one face a weak box is still the face.
_DETECTION_THRESHOLD = 0.5
_WIDTH = 120


@dataclass(frozen=True)
class Models:
    """What is measured, and where the figures go.

    Attributes:
        models: names or folders of bundles.
        output: also write results.json, results.md and curve.png into this folder.
        threads: CPU threads of the network.
    """

    models: Annotated[tuple[str, ...], tyro.conf.Positional] = (DEFAULT,)
    output: Path | None = None
    threads: int | None = None

    def aligners(self) -> list[FaceAligner]:
        """The models, with a detector of their own."""
        detector = YuNet(score_threshold=_DETECTION_THRESHOLD)
        bundles = [find_bundle(model) for model in self.models]
        names = [bundle.name for bundle in bundles]
        if len(set(names)) < len(set(self.models)):  # bundles of several runs are often called the same
            bundles = [replace(bundle, name=model) for bundle, model in zip(bundles, self.models, strict=True)]
        return [FaceAligner(bundle, detector, self.threads) for bundle in bundles]

    def finish(self, report: Report) -> int:
        """Print a report and write its files; returns exit code 0."""
        console = Console()
        if not console.is_terminal:  # a table cut to 80 columns helps no log file
            console = Console(width=_WIDTH)
        for sheet in report.sheets:
            console.print(sheet.table())
        if self.output is not None:
            report.save(self.output)
        return OK


@dataclass(frozen=True)
class Protocol(Models):
    """How faces are cropped and scored.

    Attributes:
        detected: crop by detection and two steps, instead of from the true landmarks and one.
        aligned: score after taking off what the set leaves open: scale and translation of landmarks, one common
            rotation of poses.
    """

    detected: bool = False
    aligned: bool = False

    def predict(self, data: AnnotatedSet) -> list[Predictions]:
        """Run all models over a set."""
        return [predict(a, data, detected=self.detected, watch=watching(a.bundle.name)) for a in self.aligners()]

    def report(self, error: str, data: str, faces: int, scores: Sequence[Scores], **settings: Any) -> Report:
        """Put scores together; `error` names them with their unit."""
        how = ("detected, two steps" if self.detected else "RoI from true landmarks") + ", aligned" * self.aligned
        known = {"data": data, "faces": faces, "detected": self.detected, "aligned": self.aligned}
        return Report.of_scores(f"{error} on {data} ({faces} faces; {how})", error, scores, known | settings)


_Protocol = Annotated[Protocol, tyro.conf.arg(name="")]
_Models = Annotated[Models, tyro.conf.arg(name="")]


def landmarks(
    data: Path, run: _Protocol, inner: bool = False, normaliser: Normaliser = "box", by_tone: bool = False
) -> int:
    """Measure landmark accuracy (NME, %) on annotated photos.

    Args:
        data: an .npz with names, landmarks68 and yaw_deg, its photos in a .tar or folder of the same name; or a
            folder of photos, each with a .pts or an AFLW2000-3D .mat file beside it.
        run: what to measure, and how.
        inner: score the 51 points inside the face only: in 2D annotations (300-W) the jaw follows the outline.
        normaliser: divide by sqrt(w h) of the true points' box, or by the distance of the outer eye corners (300-W).
        by_tone: also by how light the skin appears in the photo.

    Returns:
        Exit code 0.
    """
    annotated = AnnotatedSet.load(data)
    truth = true_landmarks(annotated)
    options = LandmarkOptions(run.aligned, inner, normaliser)
    predictions = run.predict(annotated)
    scores = [score(found, truth, annotated.yaw_deg, options) for found in predictions]
    error = "NME %" + ", 51 points" * inner + ", eye distance" * (normaliser == "eyes")
    settings = {"points": 51 if inner else 68, "normaliser": normaliser}
    report = run.report(error, annotated.name, len(annotated), scores, **settings)
    if by_tone:
        groups = tone_groups(annotated, watching("skin"))
        parts = [part for pair in zip(predictions, scores, strict=True) for part in scores_by_tone(*pair, groups)]
        tones = Report.of_scores(f"{error} by how light skin appears in the photo (faces)", error, parts, {})
        report = report.with_further(tones.sheet, by_tone=tones.record)
    return run.finish(report)


def aflw2000(data: Path, run: _Protocol, photos: Path | None = None) -> int:
    """Measure landmark accuracy (NME, %) on AFLW2000-3D as published with 3DDFA, against all label sets found.

    Args:
        data: folder with AFLW2000-3D_crop, its list and arrays; or the one that holds test.data and test.configs.
        run: what to measure, and how.
        photos: folder of the uncropped AFLW2000-3D; crop from these instead of the ready crops. Detection needs it.

    Returns:
        Exit code 0.
    """
    known = OriginalSet.load(data, "aflw2000")
    options = LandmarkOptions(run.aligned)
    scores = [
        score(found, truth, known.yaw_deg, options, kind if len(known.labels) > 1 else "")
        for found in _predict_original(run, known, photos)
        for kind, truth in known.labels.items()
    ]
    return run.finish(run.report("NME %", known.name, len(known), scores))


def aflw(data: Path, run: _Protocol, photos: Path | None = None) -> int:
    """Measure the accuracy (NME, %) of AFLW's 21 points, the visible ones, on AFLW as published with 3DDFA.

    Args:
        data: folder with AFLW_GT_crop, its list and arrays; or the one that holds test.data and test.configs.
        run: what to measure, and how.
        photos: folder of the uncropped photos; crop from these instead of the ready crops. Detection needs it.

    Returns:
        Exit code 0.
    """
    known = OriginalSet.load(data, "aflw")
    points, visible = load_points21(data, len(known))
    scores = [
        score21(found, known, points, visible, align=run.aligned) for found in _predict_original(run, known, photos)
    ]
    return run.finish(run.report("NME %, 21 points", known.name, len(known), scores))


def pose(data: Path, run: _Protocol, limit: float = 99.0) -> int:
    """Measure head pose: mean absolute error per angle, degrees, 300W-LP convention.

    Args:
        data: an .npz with names and euler_deg (yaw, pitch, roll) or yaw_deg, its photos beside it; or a folder of
            AFLW2000-3D photos with their .mat files.
        run: what to measure, and how.
        limit: leave out faces with an angle beyond ±this, as the literature does.

    Returns:
        Exit code 0.
    """
    whole = AnnotatedSet.load(data)
    annotated = whole.subset(np.flatnonzero(within(whole.euler_deg, limit)))
    if not len(annotated):
        raise DataError(f"{data} has no pose: it needs euler_deg or yaw_deg, or .mat files with Pose_Para")
    scores = [one for found in run.predict(annotated) for one in score_pose(found, annotated, align=run.aligned)]
    left_out = len(whole) - len(annotated)
    return run.finish(run.report("pose error, degrees", annotated.name, len(annotated), scores, left_out=left_out))


def blink(
    photos: Path,
    run: _Models,
    scores: Path | None = None,
    mesh_teacher: Path | None = None,
    expression: str = "eyeBlink",
    positive: float = 0.5,
) -> int:
    """Measure how an expression agrees with reference scores: correlation, and whether closed eyes are told from open.

    Args:
        photos: folder or tar of photos of one face each.
        run: what to measure, and where the figures go.
        scores: a .csv with the columns name and the expressions (eyeBlinkLeft, eyeBlinkRight), or an .npz with names
            and one array per expression.
        mesh_teacher: a face_landmarker.task to make the scores with instead; they too go to the output, scores.csv.
        expression: an ARKit name; without Left or Right both sides count.
        positive: reference scores from here on count as closed (or open, or whatever the expression says).

    Returns:
        Exit code 0.
    """
    pictures = Photos(photos)
    given = None if scores is None else ReferenceScores.load(scores, expression)
    names = pictures.names if given is None else given.names
    if (given is None) == (mesh_teacher is None):
        raise DataError("where do the reference scores come from? give --scores or --mesh-teacher")
    data = AnnotatedSet(photos.stem, pictures, names, None, np.full((len(names), 3), np.nan, np.float32))
    found = [predict(aligner, data, detected=True, watch=watching(aligner.bundle.name)) for aligner in run.aligners()]
    if given is None and mesh_teacher is not None:
        given = mesh_scores(mesh_teacher, expression, pictures, found[0], watching("face mesh"))
        if run.output is not None:
            given.save(make_folder(run.output) / "scores.csv")
    results = [result for one in found for result in agreements(one, given, positive)] if given else []
    if not results:
        raise DataError(f"none of these models tells {expression}: name an expression of the open head, like jawOpen")
    settings = {"data": data.name, "faces": len(data), "expression": expression, "positive": positive}
    title = f"{expression} against the reference on {data.name} ({len(data)} photos; detected, two steps)"
    return run.finish(agreement_report(title, results, settings))


def openings(
    data: tuple[Path, ...],
    run: _Models,
    mesh_teacher: Path | None = None,
    held_out: float = 0.02,
    detected: bool = False,
) -> int:
    """Measure whether eyes and mouth follow the photo, on photos that training keeps aside.

    Args:
        data: data sets made by `ddfa data label`.
        run: what to measure, and where the figures go.
        mesh_teacher: a face_landmarker.task to compare with; else the labels are compared with.
        held_out: the share kept aside in training; 1 to measure on all photos of sets that nothing was trained on.
        detected: crop by detection and two steps, instead of from the labels' landmarks and one.

    Returns:
        Exit code 0.
    """
    if not data:
        raise DataError("name the data sets, as made by `ddfa data label`, with --data")
    asides = [held_out_photos(folder, held_out) for folder in data]
    reference = joined(
        apertures_from_labels(aside)
        if mesh_teacher is None
        else apertures_from_mesh(mesh_teacher, aside, watching("face mesh"))
        for aside in asides
    )

    def apertures_from_faces(aligner: FaceAligner) -> Apertures:
        watch = watching(aligner.bundle.name)
        found = [predict(aligner, annotated(aside), detected=detected, watch=watch) for aside in asides]
        return joined(apertures_from_model(*pair) for pair in zip(found, asides, strict=True))

    opinions = [(aligner.bundle.name, apertures_from_faces(aligner)) for aligner in run.aligners()]
    if mesh_teacher is not None:  # as well as a network could do that learns from them
        opinions.append(("the labels", joined(map(apertures_from_labels, asides))))
    count = sum(len(aside.labels) for aside in asides)
    against = "labels" if mesh_teacher is None else "face mesh"
    how = "detected, two steps" if detected else "RoI from labels"
    settings = {"data": [folder.name for folder in data], "faces": count, "reference": against, "detected": detected}
    title = f"eyes and mouth against the {against} on {count} photos kept aside from training ({how})"
    return run.finish(apertures_report(title, opinions, reference, settings | {"held_out": held_out}))


def jitter(
    run: _Protocol,
    video: Path | None = None,
    moved: Path | None = None,
    smooth: bool = False,
    frames: int = 0,
) -> int:
    """Measure how quietly landmarks lie in a video: differences between frames in % of the face's size.

    Args:
        run: what to measure, and how. By default a face is followed by its landmarks; with --detected it is found
            anew in every frame.
        video: the file.
        moved: a photo instead of a video, whose face rests, then moves on a known path, with noise: tells errors too.
        smooth: beside frame by frame also what `ddfa video` makes of it: followed, One-Euro, look ahead.
        frames: only the first so many; 0 means all, 150 of a photo.

    Returns:
        Exit code 0.
    """
    if (video is None) == (moved is None):
        raise DataError("what shall be measured? give --video or --moved")
    path = moved or video
    assert path is not None
    truth = None if moved is None else _moving(moved, frames)

    def pictures(what: str) -> Iterable[Frame]:
        rate = 0.0 if truth else frame_rate(path)
        found = truth or (Frame(image, k / rate, k) for k, image in enumerate(read_video(path, frames)))
        return track(found, what, total=len(truth) if truth else None, console=_progress(), transient=True)

    def ways(aligner: FaceAligner) -> list[Track]:
        name = aligner.bundle.name
        plain = follow(aligner, (frame.image for frame in pictures(name)), detected=run.detected)
        named = replace(plain, model=FRAME_BY_FRAME)
        return [named, *smoothed_tracks(aligner, pictures(f"{name}, smoothed"))] if smooth else [named]

    tracks = [(aligner.bundle.name, ways(aligner)) for aligner in run.aligners()]
    count = len(tracks[0][1][0].yaw_deg)
    how = ("detected in every frame" if run.detected else "followed") + ", shape only" * run.aligned
    title = f"jitter, % of the face's size, on {path.stem} ({count} frames; {how})"
    settings = {"data": path.stem, "frames": count, "detected": run.detected, "aligned": run.aligned}
    if smooth or truth:
        report = temporal_stability_report(tracks, title, truth, align=run.aligned)
        return run.finish(replace(report, settings={**report.settings, **settings}))
    plain = [replace(one, model=name) for name, found in tracks for one in found]
    scores = [score for one in plain for score in score_jitter(one, align=run.aligned)]
    return run.finish(Report.of_scores(title, "jitter, % of the face's size", scores, settings))


def _moving(photo: Path, frames: int) -> SyntheticClip:
    image = read_image(photo)
    found = YuNet()(image)
    if not len(found):
        raise DataError(f"{photo} shows no face: choose another photo")
    sizes = np.prod(found.boxes[:, 2:] - found.boxes[:, :2], axis=1)
    return SyntheticClip(image, found.boxes[int(np.argmax(sizes))], frames or 150)


def curves(runs: Annotated[tuple[Path, ...], tyro.conf.Positional], output: Path = Path("curves.png")) -> int:
    """Draw the curves of training runs: errors on photos kept aside and loss terms, over the crops seen.

    Args:
        runs: run folders of `ddfa train`, finished or not.
        output: the picture.

    Returns:
        Exit code 0.
    """
    if not runs:
        raise DataError("name run folders of `ddfa train`")
    write_image(output, draw_curves([RunCurves.load(run) for run in runs]))
    Console().print(f"wrote {output}")
    return OK


def _predict_original(run: Protocol, data: OriginalSet, photos: Path | None) -> list[Predictions]:
    if photos is not None:
        return run.predict(data.uncropped(Photos(photos)))
    if run.detected:
        raise DataError("the ready crops leave nothing to detect: name the uncropped photos with --photos")
    return [data.predict(aligner, watching(aligner.bundle.name)) for aligner in run.aligners()]


def watching(what: str) -> Watch:
    """Progress on stderr under a name."""
    return partial(track, description=what, console=_progress(), transient=True)


def _progress() -> Console:
    return Console(stderr=True)
