"""Latency and throughput of the service under load, relative to one request at a time; needs the load generator `hey`.

    python benchmarks/serve.py [--photo FILE] [--seconds 8] [--callers 1 4 16 48]

The service runs as a separate process on this machine and shares the cores with `hey`, so compare the ratios. Every
request posts the same photo for its landmarks, without files; "no batching" regresses every photo separately.
"""

import csv
import io
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

BOUNDARY = "photo-boundary"
SERVICE = """
import sys
from ddfa.serve.app import create_app
from ddfa.serve.server import run_server
from ddfa.serve.settings import ServeSettings
run_server(create_app(ServeSettings(batch=int(sys.argv[1]), queue=1000)), "127.0.0.1", 0, 1000)
"""


@dataclass(frozen=True)
class Load:
    """Measurements of the clients.

    Attributes:
        callers: concurrent clients.
        batching: whether photos of different requests were regressed together.
        per_second: responses per second.
        milliseconds: (n,) time from request to response.
        together: photos per batch, on average.
    """

    callers: int
    batching: bool
    per_second: float
    milliseconds: np.ndarray
    together: float


@contextmanager
def service(batch: int) -> Iterator[str]:
    """Run a service that regresses up to `batch` photos together; yields its address."""
    with subprocess.Popen([sys.executable, "-c", SERVICE, str(batch)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[2]
        finally:
            process.terminate()


def body_of(photo: Path) -> bytes:
    """Encode a form with one photo."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="photo.jpg"\r\n\r\n'
    return head.encode() + photo.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()


def load(address: str, body: Path, callers: int, seconds: int, batching: bool) -> Load:
    """Let clients post for some seconds."""
    before = batches(address)
    words = ["hey", "-z", f"{seconds}s", "-c", str(callers), "-m", "POST", "-o", "csv", "-t", "60"]
    words += ["-T", f"multipart/form-data; boundary={BOUNDARY}", "-D", str(body), f"{address}v1/align"]
    answer = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    rows = [row for row in csv.DictReader(io.StringIO(answer)) if row["status-code"] == "200"]
    taken = np.array([float(row["response-time"]) for row in rows])
    ended = max(float(row["offset"]) + float(row["response-time"]) for row in rows)
    count, photos = (after - earlier for after, earlier in zip(batches(address), before, strict=True))
    return Load(callers, batching, len(rows) / ended, 1e3 * taken, photos / max(count, 1))


def batches(address: str) -> tuple[float, float]:
    """Number of batches so far, and of photos in them."""
    lines = urllib.request.urlopen(f"{address}metrics").read().decode().splitlines()
    found = dict(line.split() for line in lines if line.startswith("ddfa_batch_photos_"))
    return float(found["ddfa_batch_photos_count"]), float(found["ddfa_batch_photos_sum"])


def main(
    photo: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("samples/astronaut.jpg"),
    seconds: int = 8,
    callers: tuple[int, ...] = (1, 4, 16, 48),
    json_file: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None,
) -> None:
    """Measure the service under load.

    Args:
        photo: the photo that every client posts.
        seconds: duration of each row.
        callers: numbers of concurrent clients, a row each; the first is the baseline.
        json_file: also receives the results as JSON.
    """
    if shutil.which("hey") is None:
        raise SystemExit("benchmarks/serve.py: needs the load generator hey: apt-get install hey")
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "body"
        body.write_bytes(body_of(photo))
        loads = []
        for batch in (32, 1):
            with service(batch) as address:
                load(address, body, 2, 2, True)  # everything is warm
                loads += [load(address, body, n, seconds, batch > 1) for n in (callers if batch > 1 else callers[-1:])]
    table = Table("callers", "", "answers/s", "x one at a time", "p50 ms", "p99 ms", "photos a batch")
    figures = []
    for one in loads:
        p50, p99 = np.percentile(one.milliseconds, (50, 99))
        note = "" if one.batching else "no batching"
        ratio = one.per_second / loads[0].per_second
        cells = (f"{one.per_second:.1f}", f"{ratio:.2f}", f"{p50:.0f}", f"{p99:.0f}", f"{one.together:.1f}")
        table.add_row(str(one.callers), note, *cells)
        figure = {"callers": one.callers, "batching": one.batching, "per_second": one.per_second}
        figures.append(figure | {"p50_ms": p50, "p99_ms": p99})
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    tyro.cli(main)
