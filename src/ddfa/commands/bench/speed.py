"""`ddfa bench speed`: how fast bundles and pipeline stages are, measured side by side."""

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from ddfa.align import FaceAligner
from ddfa.bench.machine import machine_sheet
from ddfa.bench.runtimes import Runtime
from ddfa.bench.speed import regression, stages
from ddfa.commands.bench.options import ModelOptions, progress
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError
from ddfa.regress.registry import find_bundle


def speed(
    run: ModelOptions,
    photos: Annotated[Path | None, arg(metavar="DIR|TAR")] = None,
    batches: Annotated[tuple[int, ...], arg(metavar="N ...")] = (1, 32, 128),
    cores: Annotated[tuple[int, ...], arg(metavar="N ...")] = (1, 2),
    runtimes: Annotated[tuple[Runtime, ...], arg(metavar="NAME ...")] = ("onnxruntime",),
    rounds: Annotated[int, arg(metavar="N")] = 15,
) -> int:
    """Time networks and stages side by side; what is compared runs in turn, so that other load slows all of it alike.

    Args:
        run: the bundles; the speed-up of each network is relative to the last one.
        photos: folder or .tar of photos with faces, for the stages; without it only the networks are timed.
        batches: crops per call.
        cores: CPU threads of the networks.
        runtimes: onnxruntime, openvino (extra `train`).
        rounds: how often each is timed; the median is reported.

    Returns:
        Exit code 0.
    """
    if rounds < 1 or min((*batches, *cores), default=0) < 1:
        raise DataError("--rounds, --batches and --cores need numbers from 1 up")
    bundles = [find_bundle(name) for name in run.models]
    report = regression(bundles, runtimes, cores, batches, rounds, progress("regression"))
    sheets = {"machine": machine_sheet()}
    if photos is not None:
        sheets["stages"] = stages(FaceAligner(bundles[0], threads=1), Photos(photos), rounds, progress("stages"))
    for name, sheet in sheets.items():
        report = report.with_further(sheet, **{name: [list(row) for row in sheet.rows]})
    return run.finish(report)
