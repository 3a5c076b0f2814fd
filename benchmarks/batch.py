"""Speed of batch processing: photos and faces per second, memory, and time per stage.

    python benchmarks/batch.py [--photos N] [--sides SMALLEST LARGEST] [--workers N ...] [--json FILE]

The corpus consists of resized sample photos. Measurements are interleaved, and the best of several rounds is reported,
since other load can only slow them down. The start-up time of the workers is measured with one photo per worker and
reported separately.
"""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from multiprocessing import active_children
from pathlib import Path
from typing import Annotated, TypeVar

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tyro
from rich.console import Console
from rich.table import Table

from ddfa.align import FaceAligner
from ddfa.batch.local_engine import run_local
from ddfa.batch.shards import open_job
from ddfa.batch.sources import list_photos, read_photo
from ddfa.batch.stage import AlignStage, StageSettings, face_rows
from ddfa.detect.yunet import FINE_SIDE
from ddfa.images import decode_reduced, read_image, write_image
from ddfa.regress.session import Regressor

SAMPLES = Path(__file__).parents[1] / "samples"
SHARDS = 8  # a run is cut into: each worker has several
EXACT = "yunet:exact"  # the detector that searches every part of a photo, for comparison
T = TypeVar("T")


@dataclass
class Run:
    """A run of the local engine.

    Attributes:
        workers: number of processes.
        full: large JPEGs are decoded in full.
        detector: its name.
        start_s: time until each worker has finished one photo.
        photos_per_s: without the start-up time.
        faces_per_s: likewise.
        speedup: relative to the first run.
        worker_mb: peak memory of the largest worker.
    """

    workers: int
    full: bool
    detector: str
    start_s: float
    photos_per_s: float
    faces_per_s: float
    speedup: float
    worker_mb: float


def make_corpus(folder: Path, count: int, sides: tuple[int, int]) -> Path:
    """Write photos whose longer sides are spaced evenly between two sizes in px."""
    folder.mkdir()
    samples = [read_image(path) for path in sorted(SAMPLES.glob("*.jpg"))]
    for k, side in enumerate(np.linspace(*sides, count)):
        image = samples[k % len(samples)]
        scale = side / max(image.shape[:2])
        resized = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        write_image(folder / f"{k:05d}.jpg", np.asarray(resized, np.uint8))
    return folder


def stage_ms(corpus: Path, folder: Path) -> dict[str, float]:
    """Milliseconds of CPU time per photo of each stage, one thread, all photos through one stage after the other.

    Includes detection with the exact detector, which is not a stage.
    """
    cv2.setNumThreads(1)
    import_module("ddfa.regress.sampling_kernel")  # as in a worker
    schema = AlignStage(StageSettings()).schema
    aligner = FaceAligner(threads=1)
    exact = FaceAligner(aligner.bundle, EXACT, threads=1)
    regressor = Regressor(aligner.bundle, threads=1)
    photos, spent = list_photos([str(corpus)]), dict[str, float]()

    def timed(name: str, work: Callable[[], T]) -> T:
        start = time.process_time()
        result = work()
        spent[name] = 1e3 * (time.process_time() - start) / len(photos)
        return result

    content = timed("read", lambda: [read_photo(photo) for photo in photos])
    images = timed("decode", lambda: [decode_reduced(data, "photo", FINE_SIDE).image for data in content])
    found = timed("detect", lambda: [aligner.locate(image) for image in images])
    timed(EXACT, lambda: [exact.locate(image) for image in images])
    inputs = timed("crop", lambda: np.concatenate([regressor.inputs(one.image, one.roi) for one in found]))
    timed("regress", lambda: regressor.params_from_inputs(inputs))
    faces = aligner.align_located(found)
    rows = timed("rows", lambda: [{"source": "", "faces": 1, **row} for each in faces for row in face_rows(each)])
    timed("write", lambda: pq.write_table(pa.Table.from_pylist(rows, schema), folder / "rows.parquet"))
    return spent


def run(inputs: Path, folder: Path, workers: int, full: bool, detector: str) -> tuple[float, int, float]:
    """Align a corpus.

    Returns:
        Seconds, faces, and peak memory of the largest worker in MB.
    """
    job = open_job(
        [str(inputs)],
        folder,
        StageSettings(full=full, detector=detector),
        -(-len(list(inputs.iterdir())) // (SHARDS * workers)),
    )
    start, faces, memory = time.perf_counter(), 0, 0.0
    for _, found, _ in run_local(job, job.missing(), workers):
        faces += found
        memory = max([memory, *(peak_mb(child.pid) for child in active_children())])
    return time.perf_counter() - start, faces, memory


def peak_mb(pid: int | None) -> float:
    """Peak memory of a process, where the system reports it (Linux)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0)


def main(
    photos: int = 96,
    sides: tuple[int, int] = (640, 2000),
    workers: tuple[int, ...] = (1, 2),
    rounds: int = 2,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None,
) -> None:
    """Measure and print.

    Args:
        photos: number of photos in the corpus.
        sides: smallest and largest longer side of a photo, px.
        workers: numbers of processes; the first is the baseline, and is also measured with `--full` and with the exact
            detector.
        rounds: number of rounds.
        json_file: receives the results as JSON.
    """
    settings = [(count, False, "yunet") for count in workers]
    settings += [(workers[0], True, "yunet"), (workers[0], False, EXACT)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = make_corpus(folder / "corpus", photos, sides)
        few = make_corpus(folder / "few", max(workers), sides)
        stages, starts, wholes = list[dict[str, float]](), list[list[float]](), list[list[float]]()
        for k in range(rounds):
            stages.append(stage_ms(corpus, folder))
            starts.append([run(few, folder / f"few-{k}-{n}", *setting)[0] for n, setting in enumerate(settings)])
            results = [run(corpus, folder / f"out-{k}-{n}", *setting) for n, setting in enumerate(settings)]
            wholes.append([seconds for seconds, _, _ in results])
    best = {stage: min(each[stage] for each in stages) for stage in stages[0]}
    start, whole = np.min(starts, axis=0), np.min(wholes, axis=0)
    working = np.maximum(whole - start, 1e-9)
    runs = [
        Run(*setting, start[k], photos / working[k], results[k][1] / working[k], working[0] / working[k], results[k][2])
        for k, setting in enumerate(settings)
    ]
    _print(photos, sides, best, runs)
    if json_file is not None:
        record = {"photos": photos, "sides": sides, "stage_ms": best, "runs": [asdict(each) for each in runs]}
        json_file.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _print(photos: int, sides: tuple[int, int], stages: dict[str, float], runs: list[Run]) -> None:
    console, together = Console(), sum(spent for name, spent in stages.items() if name != EXACT)
    table = Table("stage", title=f"{photos} photos of {sides[0]} to {sides[1]} px, one thread")
    table.add_column("CPU ms/photo", justify="right")
    table.add_column("share", justify="right")
    for name, spent in stages.items():
        table.add_row(f"({name})" if name == EXACT else name, f"{spent:.2f}", f"{spent / together:.0%}")
    table.add_row("together", f"{together:.2f}", "")
    console.print(table)
    table = Table(title="runs")
    for name in ("workers", "start, s", "photos/s", "faces/s", "speed-up", "MB/worker"):
        table.add_column(name, justify="right")
    for each in runs:
        table.add_row(
            f"{each.workers}{', --full' * each.full}{f', {EXACT}' * (each.detector == EXACT)}",
            *(f"{value:.1f}" for value in (each.start_s, each.photos_per_s, each.faces_per_s)),
            f"{each.speedup:.2f}",
            f"{each.worker_mb:.0f}",
        )
    console.print(table)


if __name__ == "__main__":
    tyro.cli(main)
