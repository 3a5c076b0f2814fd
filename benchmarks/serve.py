"""Latency and throughput of the service under load, relative to one request at a time; needs the load generator `hey`.

    python benchmarks/serve.py [--photo FILE] [--seconds 8] [--callers 1 4 16 48] [--slow-peers 200]

The service runs as a separate process on this machine and shares the cores with `hey`, so compare the ratios. Every
request posts the same photo for its landmarks, without files; "no batching" regresses every photo separately. Slow
peers, from another address, keep connections open: with half a header, half a second request, half a body, or an
answer that they do not read.
"""

import csv
import io
import itertools
import json
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
        health_ms: (m,) time to the response of `/healthz` meanwhile.
    """

    callers: int
    batching: bool
    per_second: float
    milliseconds: np.ndarray
    together: float
    health_ms: np.ndarray


@contextmanager
def service(batch: int) -> Iterator[str]:
    """Run a service that regresses up to `batch` photos together; yields its address."""
    with subprocess.Popen([sys.executable, "-c", SERVICE, str(batch)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[2]
        finally:
            process.terminate()


def send_slowly(address: str, count: int, stop: threading.Event) -> None:
    """Keep slow connections open, from 127.0.0.2, until the event is set; those that are closed are opened again."""
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    ask = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    upload = ask.replace(b"GET /healthz", b"POST /v1/align").replace(b"\r\n\r\n", b"\r\nContent-Length: 1000\r\n\r\nx")
    kinds = itertools.cycle((ask[:20], ask + ask[:20], upload, ask.replace(b"/healthz", b"/v1/head") * 4))
    held: list[socket.socket] = []
    while not stop.is_set():
        while len(held) < count:
            held.append(socket.create_connection((host, int(port)), source_address=("127.0.0.2", 0)))
            with suppress(OSError):
                held[-1].sendall(next(kinds))
        stop.wait(0.2)
        gone = select.poll()
        for one in held:
            gone.register(one, select.POLLRDHUP)
        closed = {number for number, _ in gone.poll(0)}
        for one in [one for one in held if one.fileno() in closed]:
            held.remove(one)
            one.close()
    for one in held:
        one.close()


def ask_health(address: str, stop: threading.Event, milliseconds: list[float]) -> None:
    """Measure the time to the response of `/healthz` until the event is set."""
    while not stop.wait(0.05):
        began = time.perf_counter()
        urllib.request.urlopen(f"{address}healthz", timeout=60).read()
        milliseconds.append(1e3 * (time.perf_counter() - began))


def body_of(photo: Path) -> bytes:
    """Encode a form with one photo."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="photo.jpg"\r\n\r\n'
    return head.encode() + photo.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()


def load(address: str, body: Path, callers: int, seconds: int, batching: bool, slow: int = 0) -> Load:
    """Let clients post for some seconds, with some slow peers."""
    stop, health = threading.Event(), list[float]()
    others = [threading.Thread(target=ask_health, args=(address, stop, health))]
    others += [threading.Thread(target=send_slowly, args=(address, slow, stop))] if slow else []
    for thread in others:
        thread.start()
    before = batches(address)
    words = ["hey", "-z", f"{seconds}s", "-c", str(callers), "-m", "POST", "-o", "csv", "-t", "60"]
    words += ["-T", f"multipart/form-data; boundary={BOUNDARY}", "-D", str(body), f"{address}v1/align"]
    answer = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    stop.set()
    for thread in others:
        thread.join()
    rows = [row for row in csv.DictReader(io.StringIO(answer)) if row["status-code"] == "200"]
    taken = np.array([float(row["response-time"]) for row in rows])
    ended = max(float(row["offset"]) + float(row["response-time"]) for row in rows)
    count, photos = (after - earlier for after, earlier in zip(batches(address), before, strict=True))
    return Load(callers, batching, len(rows) / ended, 1e3 * taken, photos / max(count, 1), np.array(health))


def batches(address: str) -> tuple[float, float]:
    """Number of batches so far, and of photos in them."""
    lines = urllib.request.urlopen(f"{address}metrics").read().decode().splitlines()
    found = dict(line.split() for line in lines if line.startswith("ddfa_batch_photos_"))
    return float(found["ddfa_batch_photos_count"]), float(found["ddfa_batch_photos_sum"])


def main(
    photo: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("samples/astronaut.jpg"),
    seconds: int = 8,
    callers: tuple[int, ...] = (1, 4, 16, 48),
    slow_peers: int = 0,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None,
) -> None:
    """Measure the service under load.

    Args:
        photo: the photo that every client posts.
        seconds: duration of each row.
        callers: numbers of concurrent clients, a row each; the first is the baseline.
        slow_peers: number of slow connections during the measurements.
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
                loads += [
                    load(address, body, n, seconds, batch > 1, slow_peers)
                    for n in (callers if batch > 1 else callers[-1:])
                ]
    table = Table(
        "callers", "", "answers/s", "x one at a time", "p50 ms", "p99 ms", "photos a batch", "health p50, max ms"
    )
    figures = []
    for one in loads:
        p50, p99 = np.percentile(one.milliseconds, (50, 99))
        note = "" if one.batching else "no batching"
        ratio = one.per_second / loads[0].per_second
        cells = (f"{one.per_second:.1f}", f"{ratio:.2f}", f"{p50:.0f}", f"{p99:.0f}", f"{one.together:.1f}")
        cells += (f"{np.median(one.health_ms):.0f}, {one.health_ms.max():.0f}",)
        table.add_row(str(one.callers), note, *cells)
        figure = {"callers": one.callers, "batching": one.batching, "per_second": one.per_second}
        figures.append(figure | {"p50_ms": p50, "p99_ms": p99, "health_max_ms": one.health_ms.max()})
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    tyro.cli(main)
