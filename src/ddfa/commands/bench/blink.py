"""`ddfa bench blink`: an expression against reference scores."""

from pathlib import Path
from typing import Annotated

import numpy as np
from tyro.conf import arg

from ddfa.bench.expression import ReferenceScores, agreement_report, agreements, mesh_scores
from ddfa.bench.predict import predict
from ddfa.bench.sets import AnnotatedSet
from ddfa.commands.bench.options import ModelOptions, progress
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError
from ddfa.files import make_folder
from ddfa.options import MaybeMeshTeacher


def blink(
    photos: Annotated[Path, arg(metavar="DIR|TAR")],
    run: ModelOptions,
    scores: Annotated[Path | None, arg(metavar="FILE")] = None,
    mesh_teacher: MaybeMeshTeacher = None,
    expression: Annotated[str, arg(metavar="NAME")] = "eyeBlink",
    positive: Annotated[float, arg(metavar="SCORE")] = 0.5,
) -> int:
    """Measure how an expression agrees with reference scores: correlation, and AUC of closed against open eyes.

    Args:
        photos: folder or .tar of photos with one face each.
        run: what is measured, and where the results go.
        scores: a .csv with the columns name and the expressions (eyeBlinkLeft, eyeBlinkRight), or an .npz with names
            and one array per expression.
        mesh_teacher: computes the scores instead; they are also written to the output folder, as scores.csv.
        expression: an ARKit name; without Left or Right both sides count.
        positive: reference scores from this value on count as positive (for eyeBlink: closed).

    Returns:
        Exit code 0.
    """
    images = Photos(photos)
    given = None if scores is None else ReferenceScores.load(scores, expression)
    names = images.names if given is None else given.names
    if (given is None) == (mesh_teacher is None):
        raise DataError("give either --scores or --mesh-teacher, which the models are compared with")
    data = AnnotatedSet(photos.stem, images, names, None, np.full((len(names), 3), np.nan, np.float32))
    found = [predict(aligner, data, detected=True, watch=progress(aligner.bundle.name)) for aligner in run.aligners()]
    if given is None and mesh_teacher is not None:
        given = mesh_scores(mesh_teacher, expression, images, found[0], progress("face mesh"))
        if run.output is not None:
            given.save(make_folder(run.output) / "scores.csv")
    results = [result for one in found for result in agreements(one, given, positive)] if given else []
    if not results:
        raise DataError(f"none of these models predicts {expression}: choose one of the open head, such as jawOpen")
    settings = {"data": data.name, "faces": len(data), "expression": expression, "positive": positive}
    title = f"{expression} against the reference on {data.name} ({len(data)} photos; detected, two steps)"
    return run.finish(agreement_report(title, results, settings))
