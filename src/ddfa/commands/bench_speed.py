"""`ddfa bench speed`: how fast bundles and stages are, as ratios in one run."""

import platform
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import onnxruntime
import tyro

from ddfa.align import FaceAligner
from ddfa.bench.report import Sheet
from ddfa.bench.runtimes import Runtime
from ddfa.bench.speed import regression, stages
from ddfa.commands.bench import Models, watching
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError
from ddfa.regress.registry import find_bundle

_Models = Annotated[Models, tyro.conf.arg(name="")]


def speed(
    run: _Models,
    photos: Path | None = None,
    batches: tuple[int, ...] = (1, 32, 128),
    cores: tuple[int, ...] = (1, 2),
    runtimes: tuple[Runtime, ...] = ("onnxruntime",),
    rounds: int = 15,
) -> int:
    """Time networks and stages side by side; what is compared runs in turns, so that other work slows all alike.

    Args:
        run: the bundles; speed-ups of the networks are over the last of them.
        photos: folder or tar of pictures with faces, for the stages; left out, only the networks are timed.
        batches: crops per call.
        cores: CPU threads of the networks.
        runtimes: onnxruntime, openvino (extra `train`).
        rounds: how often each is timed; the median counts.

    Returns:
        Exit code 0.
    """
    if rounds < 1 or min((*batches, *cores), default=0) < 1:
        raise DataError("--rounds, --batches and --cores need numbers from 1 up")
    bundles = [find_bundle(name) for name in run.models]
    report = regression(bundles, runtimes, cores, batches, rounds, watching("regression"))
    sheets = {"machine": machine()}
    if photos is not None:
        sheets["stages"] = stages(FaceAligner(bundles[0], threads=1), Photos(photos), rounds, watching("stages"))
    for name, sheet in sheets.items():
        report = report.with_further(sheet, **{name: [list(row) for row in sheet.rows]})
    return run.finish(report)


def machine() -> Sheet:
    """What the figures were measured on."""
    rows = [
        ("processor", _processor()),
        ("Python", platform.python_version()),
        ("NumPy", np.__version__),
        ("OpenCV", cv2.__version__),
        ("ONNX Runtime", onnxruntime.__version__),
    ]
    return Sheet("Machine", ("of", "version"), rows)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.machine()
