"""`ddfa bench units`: the 52 blendshapes against the mesh teacher."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ddfa.bench.units import predict_units, score_units, units_report
from ddfa.commands.bench.options import ModelOptions, progress
from ddfa.data.regions.labels import Corpus
from ddfa.errors import DataError


def units(data: Path, run: ModelOptions, corpora: tuple[str, ...] = (), limit: int = 0) -> int:
    """Measure the blendshapes against the mesh teacher's scores of held-out photos, unit by unit.

    Bundles with region networks are measured with and without them.

    Args:
        data: folder of the corpora made by `ddfa data regions`.
        run: what is measured, and where the results go.
        corpora: names of the corpora in `data`; all of them by default.
        limit: measure only the first so many held-out photos of each corpus; 0 means all.

    Returns:
        Exit code 0.
    """
    held_out = [
        replace(corpus, chosen=corpus.chosen[: limit or None])
        for corpus in Corpus.load_all(data, corpora, held_out=True)
    ]
    count = sum(len(corpus.chosen) for corpus in held_out)
    if not count:
        raise DataError(f"no held-out photo in {data} that the mesh teacher is trusted on: label more photos")
    teacher = np.concatenate([corpus.labels.scores[corpus.chosen] for corpus in held_out])
    aligners = [(aligner.bundle.name, aligner) for aligner in replace(run, regions=False).aligners()]
    if run.regions:
        refined = [aligner for aligner in run.aligners() if aligner.bundle.regions_path is not None]
        aligners += [(f"{aligner.bundle.name} with regions", aligner) for aligner in refined]
    names = aligners[0][1].head.expression_names
    scores = [
        score_units(name, names, predict_units(aligner, held_out, progress(name)), teacher)
        for name, aligner in sorted(aligners, key=lambda pair: pair[0])
    ]
    scores.append(score_units("mesh teacher", names, teacher, teacher))
    return run.finish(units_report(scores, data.name, count))
