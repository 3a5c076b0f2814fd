"""`ddfa bench quality`: the estimates of the quality head against true landmarks."""

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from ddfa.bench.quality import quality_report, score_quality
from ddfa.bench.sets import AnnotatedSet, true_landmarks
from ddfa.commands.bench.options import ProtocolOptions


def quality(data: Annotated[Path, arg(metavar="DIR|FILE")], run: ProtocolOptions) -> int:
    """Measure the estimated quality and deviations of landmarks against their true errors.

    Args:
        data: annotated photos, as for `ddfa bench landmarks`.
        run: what is measured, and how.

    Returns:
        Exit code 0.
    """
    annotated = AnnotatedSet.load(data)
    truth = true_landmarks(annotated)
    scores = [score_quality(found, truth, align=run.aligned) for found in run.predict(annotated)]
    how = ("detected faces" if run.detected else "RoIs from the true landmarks") + ", aligned" * run.aligned
    return run.finish(quality_report(scores, f"quality, {annotated.name}, {len(annotated)} photos, {how}"))
