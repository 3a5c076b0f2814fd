"""`ddfa bench landmarks`: the accuracy of model bundles, side by side."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ddfa.align import FaceAligner
from ddfa.bench.landmarks import AnnotatedSet, Result, evaluate
from ddfa.bench.metrics import BIN_NAMES
from ddfa.commands.exits import OK
from ddfa.detect.yunet import YuNet
from ddfa.files import write_atomically
from ddfa.regress.registry import DEFAULT

# The threshold of the published figures: on cropped photos of one face a weak box is still the face.
_DETECTION_THRESHOLD = 0.5


def landmarks(
    data: Path,
    models: Annotated[tuple[str, ...], tyro.conf.Positional] = (DEFAULT,),
    detected: bool = False,
    aligned: bool = False,
    output: Path | None = None,
    threads: int | None = None,
) -> int:
    """Measure the landmark accuracy (NME, %) of models on annotated photos such as AFLW2000-3D.

    Args:
        data: the annotated set, an `.npz` with its `.tar` beside it.
        models: names or folders of bundles.
        detected: crop by detection and two steps, instead of from the true landmarks and one.
        aligned: score after the best scale and translation, for sets whose crops are known only that well.
        output: also write the figures to this JSON file.
        threads: CPU threads of the network.

    Returns:
        Exit code 0.
    """
    annotated = AnnotatedSet.load(data)
    detector = YuNet(score_threshold=_DETECTION_THRESHOLD) if detected else None
    aligners = [FaceAligner(model, detector, threads) for model in models]
    console = Console(stderr=True)
    results = [
        evaluate(aligner, annotated, detected=detected, aligned=aligned)
        for aligner in track(aligners, "measuring", console=console, transient=True)
    ]
    how = ("detected, two steps" if detected else "RoI from true landmarks") + (", aligned" if aligned else "")
    Console().print(_table(results, f"NME % on {annotated.name} ({len(annotated)} faces; {how})"))
    if output is not None:
        record = {
            "data": annotated.name,
            "detected": detected,
            "aligned": aligned,
            "bins": BIN_NAMES,
            "models": [asdict(result) for result in results],
        }
        write_atomically(output, (json.dumps(record, indent=2) + "\n").encode())
    return OK


def _table(results: list[Result], title: str) -> Table:
    table = Table("model", *BIN_NAMES, "mean of bins", "mean of faces", "missed", title=title)
    for result in results:
        figures = (*result.nme.bins, result.nme.mean, result.nme.plain)
        table.add_row(result.model, *(f"{figure:.2f}" for figure in figures), str(result.missed))
    return table
