"""`ddfa bench landmarks`: NME on annotated photos."""

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from ddfa.bench.landmarks import LandmarkOptions, Normaliser, score
from ddfa.bench.report import Report
from ddfa.bench.sets import AnnotatedSet, true_landmarks
from ddfa.bench.skin_tone import by_tone as scores_by_tone
from ddfa.bench.skin_tone import tone_groups
from ddfa.commands.bench.options import ProtocolOptions, progress


def landmarks(
    data: Annotated[Path, arg(metavar="DIR|FILE")],
    run: ProtocolOptions,
    inner: bool = False,
    normaliser: Normaliser = "box",
    by_tone: bool = False,
) -> int:
    """Measure landmark accuracy (NME, %) on annotated photos.

    Args:
        data: an .npz with names, landmarks68 and yaw_deg, its photos in a .tar or folder of the same name; or a
            folder of photos, each with a .pts or an AFLW2000-3D .mat file of the same name.
        run: what is measured, and how.
        inner: score only the 51 points inside the face: in 2D annotations (300-W) the jaw follows the visible outline.
        normaliser: divide by sqrt(w h) of the true landmarks' box, or by the distance between the outer eye corners
            (300-W).
        by_tone: also report by how light the skin appears in the photo.

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
        groups = tone_groups(annotated, progress("skin"))
        parts = [part for pair in zip(predictions, scores, strict=True) for part in scores_by_tone(*pair, groups)]
        tones = Report.of_scores(f"{error} by how light skin appears in the photo (faces)", error, parts, {})
        report = report.with_further(tones.sheet, by_tone=tones.record)
    return run.finish(report)
