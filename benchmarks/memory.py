"""Memory over thousands of photos in one process, and of the service over thousands of requests.

    python benchmarks/memory.py [--photos 2000] [--requests 10000] [--side 128] [--json FILE]

Two samples are reduced to `--side` px, so that the runs take minutes: what leaks does so per photo, face and request,
not per pixel. Photos are read, aligned and written as JSON; every fiftieth also as GLB and overlay, and a malformed one
is refused. Requests go to `ddfa serve` from four callers at a time; of a hundred, one asks for a GLB, one is malformed,
and two ask for something else. The resident memory is noted at 41 moments; growth compares the median of the last eight
with that of eight from a quarter of the run on, when everything is warm. Linux only.
"""

import asyncio
import gc
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from ddfa import DDFAError, FaceAligner, read_image, write_image
from ddfa.export.face_files import FaceFiles
from load import exchange, form, memory_mb, process, request

SAMPLES = Path(__file__).parents[1] / "samples"
NOTES = 40
TOGETHER = 8


@dataclass
class Run:
    """One run.

    Attributes:
        name: what was repeated.
        count: how often.
        seconds: duration.
        warm_mb: median resident memory of eight notes from a quarter of the run on.
        end_mb: of the last eight.
        growth_percent: from one to the other.
        refused: photos or requests that were refused, as they should be.
        notes_mb: resident memory from begin to end.
    """

    name: str
    count: int
    seconds: float
    warm_mb: float
    end_mb: float
    growth_percent: float
    refused: int
    notes_mb: list[float]


def run_of(name: str, count: int, began: float, refused: int, notes: list[float]) -> Run:
    """Summarise a run."""
    quarter = len(notes) // 4
    warm, end = (float(np.median(part)) for part in (notes[quarter : quarter + TOGETHER], notes[-TOGETHER:]))
    return Run(name, count, time.monotonic() - began, warm, end, 100 * (end / warm - 1), refused, notes)


def small_photos(folder: Path, side: int) -> list[Path]:
    """The samples, reduced."""
    made = []
    for path in (SAMPLES / "astronaut.jpg", SAMPLES / "grace_hopper.jpg"):
        image = read_image(path)
        scale = side / min(image.shape[:2])
        made.append(folder / path.name)
        write_image(made[-1], np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)))
    return made


def align_photos(folder: Path, photos: list[Path], count: int) -> Run:
    """Align photos again and again."""
    aligner, bad = FaceAligner(threads=1), folder / "bad.jpg"
    bad.write_bytes(photos[0].read_bytes()[:500])
    notes, refused, began = [], 0, time.monotonic()
    for index in range(count):
        if index % max(1, count // NOTES) == 0:
            gc.collect()
            notes.append(memory_mb(os.getpid()))
        path = photos[index % len(photos)]
        image = read_image(path)
        files = FaceFiles(aligner(image, refine=index % 2 == 0), aligner.bundle, image, path, texture_size=256)
        thorough = index % 50 == 0
        files.write_all(("json", "glb", "overlay") if thorough else ("json",), folder / "out")
        if thorough:
            try:
                read_image(bad)
            except DDFAError:
                refused += 1
    notes.append(memory_mb(os.getpid()))
    return run_of("photos", count, began, refused, notes)


def requests_of(photos: list[Path]) -> list[bytes]:
    """A hundred requests."""
    contents = [form(path.read_bytes()) for path in photos]
    wanted = [contents[index % len(contents)] for index in range(96)]
    boundary = contents[0].split(b"\r\n\r\n", 1)[1].split(b"\r\n", 1)[0]
    body = boundary + b'\r\nContent-Disposition: form-data; name="parts"\r\n\r\nglb,json\r\n'
    body += contents[0].split(b"\r\n\r\n", 1)[1]
    kind = next(line for line in contents[0].split(b"\r\n") if line.startswith(b"Content-Type")).decode()
    files = request("POST", "/v1/align", body, kind)
    return [*wanted, files, form(b"no photo"), request("GET", "/v1/models"), request("GET", "/readyz")]


async def call(address: tuple[str, int], contents: list[bytes], numbers: Iterator[int], statuses: list[int]) -> None:
    """Send requests while there are numbers left."""
    streams = await asyncio.open_connection(*address)
    for number in numbers:
        status, _ = await exchange(streams, contents[number % len(contents)])
        statuses.append(status)
    streams[1].close()


async def send_all(address: tuple[str, int], pid: int, contents: list[bytes], count: int) -> Run:
    """Send requests from four callers."""
    notes, statuses, began = list[float](), list[int](), time.monotonic()

    def numbers() -> Iterator[int]:
        for number in range(count):
            if number % max(1, count // NOTES) == 0:
                notes.append(memory_mb(pid))
            yield number

    shared = numbers()
    await asyncio.gather(*(call(address, contents, shared, statuses) for _ in range(4)))
    await asyncio.sleep(2)
    notes.append(memory_mb(pid))
    refused = sum(status != 200 for status in statuses)
    assert refused == count // 100, "only the malformed requests are refused"
    return run_of("requests", count, began, refused, notes)


def main(
    photos: int = 2000,
    requests: int = 10_000,
    side: int = 128,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None,
) -> None:
    """Measure the growth of memory.

    Args:
        photos: to align; 0 for none.
        requests: to send; 0 for none.
        side: of the photos, the shorter one, px.
        json_file: also receives the results as JSON.
    """
    runs = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = small_photos(folder, side)
        if requests:
            with process("-m", "ddfa.cli", "serve", "--port", "0") as (address, pid):
                runs.append(asyncio.run(send_all(address, pid, requests_of(paths), requests)))
        if photos:
            runs.append(align_photos(folder, paths, photos))
    table = Table("", *(run.name for run in runs))
    for name in ("count", "refused", "seconds", "warm_mb", "end_mb", "growth_percent"):
        values = [getattr(run, name) for run in runs]
        table.add_row(name, *(f"{value:.1f}" if isinstance(value, float) else str(value) for value in values))
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(run) for run in runs], indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
