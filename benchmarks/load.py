"""The service under 1, 10 and 100 times the load it can carry, among slow, idle and rude peers.

    python benchmarks/load.py [--photo FILE] [--seconds 120] [--times 1 10 100] [--slow-peers 240] [--json FILE]

`ddfa serve` runs with its default settings in a process of its own. Its capacity is the number of photos it processes
at the same time, `--workers`; a load of n times the capacity is n times as many callers, each with a photo, who send
the next one as soon as the last is answered, and who wait as long as `Retry-After` says where they are refused.
Meanwhile, from other addresses:

- slow peers keep connections open: silent, with half a header, half a second request, half a body, answers that they do
  not read, a WebSocket without a greeting; connections that are closed are opened again;
- four rude peers send what costs work or is malformed, each every 2 s at the capacity and n times as often at n times
  of it: lists of models, heads, wrong origins, bodies that are no photos, photos of 49 and 60 megapixels;
- a monitor asks for `/healthz` every 50 ms on a new connection. As a control, it asks a process that does nothing else
  in the same way: what that one takes is the machine, not the service.

The first row is one caller without other peers, the baseline of `p99`. Linux only.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from multiprocessing import Event, Process, Queue
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

BOUNDARY = "photo-boundary"
RUDE_PAUSE_S = 2.0
CONTROL = """
import asyncio
async def answer(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\nconnection: close\\r\\n\\r\\nok")
    await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print("control:", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@dataclass
class Row:
    """Measurements of one load.

    Attributes:
        times: load in multiples of the capacity; 0: one caller without other peers.
        callers: concurrent callers.
        seconds: duration.
        answers: number of answers to the callers by status.
        p50_ms: median time of the accepted photos.
        p99_ms: 99th percentile of them.
        rude: number of answers to rude peers by status.
        health_p50_ms: median time to the answer of `/healthz`, from connecting to the last byte.
        health_p99_ms: 99th percentile.
        health_max_ms: longest.
        control_p99_ms: of the process that does nothing else.
        control_max_ms: longest of it.
        health_failed: probes without an answer 200.
        peak_mb: largest resident memory of the service.
        after_mb: resident memory 10 s after the load.
    """

    times: int
    callers: int
    seconds: float
    answers: dict[str, int] = field(default_factory=dict)
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    rude: dict[str, int] = field(default_factory=dict)
    health_p50_ms: float = 0.0
    health_p99_ms: float = 0.0
    health_max_ms: float = 0.0
    control_p99_ms: float = 0.0
    control_max_ms: float = 0.0
    health_failed: int = 0
    peak_mb: float = 0.0
    after_mb: float = 0.0


@contextlib.contextmanager
def process(*words: str) -> Iterator[tuple[tuple[str, int], int]]:
    """Run a service that prints its address; yields the address and the process's id."""
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            match = re.search(r"http://([\d.]+):(\d+)/", running.stdout.readline())
            assert match is not None
            yield (match[1], int(match[2])), running.pid
        finally:
            running.terminate()


def form(photo: bytes) -> bytes:
    """A request that posts a photo."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="photo.jpg"\r\n\r\n'
    body = head.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()
    return request("POST", "/v1/align", body, f"Content-Type: multipart/form-data; boundary={BOUNDARY}")


def request(method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    """A request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    lines += [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode() + body


async def exchange(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], content: bytes) -> tuple[int, float]:
    """Send a request and read the answer: its status, and the seconds that Retry-After names."""
    reader, writer = streams
    writer.write(content)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").lower()
    length = re.search(r"content-length: (\d+)", head)
    await reader.readexactly(int(length[1]) if length else 0)
    wait = re.search(r"retry-after: (\d+)", head)
    return int(head.split()[1]), float(wait[1]) if wait else 0.0


async def caller(address: tuple[str, int], source: str, contents: list[bytes], pause_s: float, found: list) -> None:
    """Send requests, one after another, until cancelled.

    Args:
        address: of the service.
        source: own address.
        contents: the requests, sent again and again.
        pause_s: between requests; 0: as long as the service says with Retry-After.
        found: receives status (0: the connection was closed) and ms of each.
    """
    streams = None
    for content in itertools.cycle(contents):
        began = time.perf_counter()
        try:
            if streams is None:
                streams = await asyncio.open_connection(*address, local_addr=(source, 0))
            async with asyncio.timeout(60):  # not wait_for, which may lose a cancellation
                status, wait = await exchange(streams, content)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            status, wait = 0, 0.2
            if streams is not None:
                streams[1].close()
            streams = None
        found.append((status, 1e3 * (time.perf_counter() - began)))
        await asyncio.sleep(pause_s or wait)


async def crowd(
    address: tuple[str, int], contents: list[bytes], count: int, seconds: float, rude: list[bytes], pause_s: float
) -> tuple[list, list]:
    """Callers, and rude peers with pauses, for some seconds."""
    answered, others = [], []
    sources = [f"127.0.1.{1 + i % 250}" for i in range(count)]
    tasks = [asyncio.create_task(caller(address, source, contents, 0, answered)) for source in sources]
    for index in range(4 if rude else 0):
        own = rude[index::4] + rude[:index]
        tasks.append(asyncio.create_task(caller(address, f"127.0.2.{1 + index}", own, pause_s, others)))
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.wait(tasks)
    return answered, others


def rude_requests() -> list[bytes]:
    """Requests that cost work or are malformed."""
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13")
    return [
        request("GET", "/v1/models"),
        request("GET", "/healthz", b"", "Origin: http://[::1"),
        request("POST", "/v1/align", b"{" * 10_000, "Content-Type: application/json"),
        request("GET", "/v1/head"),
        form(b"no photo"),
        request("GET", "/v1/live", b"", "Origin: http://elsewhere", *upgrade),
        form(large_photo(49)),
        form(large_photo(60)),
    ]


def large_photo(megapixels: int) -> bytes:
    """A JPEG of noise-free stripes, small as a file."""
    image = np.zeros((7000, megapixels * 1000 // 7, 3), np.uint8)
    image[::64] = 200
    return cv2.imencode(".jpg", image)[1].tobytes()


def keep_slow(address: tuple[str, int], count: int, stop: "Event") -> None:
    """Keep slow connections open until the event is set; those that are closed are opened again."""
    ask = request("GET", "/healthz")
    upload = request("POST", "/v1/align", b"x" * 1000)[:-900]
    upgrade = request(
        "GET",
        "/v1/live",
        b"",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
    )
    kinds = itertools.cycle(
        (
            b"",
            ask[:20],
            ask + ask[:20],
            upload,
            request("GET", "/v1/head") * 4,
            upgrade,
            upgrade + b"\x81\x82\0\0\0\0\xff\xfe",
        )
    )
    held: list[socket.socket] = []
    while not stop.wait(0.2):
        while len(held) < count:
            one = socket.socket()
            one.settimeout(5)
            one.bind((f"127.0.3.{1 + len(held) % 4}", 0))
            with contextlib.suppress(OSError):
                one.connect(address)
                one.sendall(next(kinds))
            held.append(one)
        for one in list(held):
            try:
                one.setblocking(False)
                gone = one.recv(1, socket.MSG_PEEK) == b""
            except BlockingIOError:
                gone = False
            except OSError:
                gone = True
            if gone:
                held.remove(one)
                one.close()


def probe(address: tuple[str, int], control: tuple[str, int], stop: "Event", results: "Queue") -> None:
    """Ask for the health of the service and of the control until the event is set."""
    taken: tuple[list[float], list[float]] = [], []
    failed = 0
    while not stop.wait(0.05):
        for where, times in zip((address, control), taken, strict=True):
            began = time.perf_counter()
            try:
                with socket.create_connection(where, 10, source_address=("127.0.4.1", 0)) as one:
                    one.sendall(request("GET", "/healthz", b"", "Connection: close"))
                    answer = b""
                    while part := one.recv(65536):
                        answer += part
                failed += not answer.startswith(b"HTTP/1.1 200")
            except OSError:
                failed += 1
            times.append(1e3 * (time.perf_counter() - began))
    results.put((*taken, failed))


def memory_mb(number: int, name: str = "VmRSS") -> float:
    """A size of memory of a process and its children, from /proc."""
    children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    own = re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{number}/status").read_text())
    return (int(own[1]) / 1024 if own else 0.0) + sum(memory_mb(int(child), name) for child in children)


def measure(row: Row, address, control, pid: int, contents: list[bytes], rude: list[bytes], slow: int) -> Row:
    """Put the service under one load."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets the peak
    stop, results = Event(), Queue()
    others = [Process(target=probe, args=(address, control, stop, results))]
    others += [Process(target=keep_slow, args=(address, slow, stop))] if slow else []
    for one in others:
        one.start()
    time.sleep(1.0)
    answered, others_answered = asyncio.run(
        crowd(address, contents, row.callers, row.seconds, rude, RUDE_PAUSE_S / max(row.times, 1))
    )
    stop.set()
    health, idle, row.health_failed = results.get()
    for one in others:
        one.join()
    row.answers = dict(Counter(str(status or "closed") for status, _ in answered))
    row.rude = dict(Counter(str(status or "closed") for status, _ in others_answered))
    accepted = [ms for status, ms in answered if status == 200]
    row.p50_ms, row.p99_ms = (float(v) for v in np.percentile(accepted, (50, 99)))
    row.health_p50_ms, row.health_p99_ms, row.health_max_ms = (float(v) for v in np.percentile(health, (50, 99, 100)))
    row.control_p99_ms, row.control_max_ms = (float(v) for v in np.percentile(idle, (99, 100)))
    row.peak_mb = memory_mb(pid, "VmHWM")
    time.sleep(10)
    row.after_mb = memory_mb(pid)
    return row


def main(
    photo: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("samples/astronaut.jpg"),
    seconds: float = 120.0,
    times: tuple[int, ...] = (1, 10, 100),
    slow_peers: int = 240,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None,
) -> None:
    """Measure the service under load.

    Args:
        photo: what the callers post.
        seconds: duration of each load; the baseline takes a quarter.
        times: loads, in multiples of the capacity.
        slow_peers: number of slow connections.
        json_file: also receives the results as JSON.
    """
    workers = os.cpu_count() or 1
    contents, rude = [form(photo.read_bytes())], rude_requests()
    rows = []
    serve = ("-m", "ddfa.cli", "serve", "--port", "0", "--workers", str(workers))
    with process(*serve) as (address, pid), process("-c", CONTROL) as (control, _):
        asyncio.run(crowd(address, contents, workers, min(seconds, 5), [], 1))  # everything is warm
        rows.append(measure(Row(0, 1, seconds / 4), address, control, pid, contents, [], 0))
        for n in times:
            row = Row(n, n * workers, seconds)
            rows.append(measure(row, address, control, pid, contents, rude, slow_peers))
            print(json.dumps(asdict(rows[-1])), file=sys.stderr)
    table = Table("", *(f"{row.times} x capacity" if row.times else "one caller alone" for row in rows))
    for name in list(asdict(rows[0]))[1:]:
        values = [getattr(row, name) for row in rows]
        cells = [f"{v:.0f}" if isinstance(v, float) else str(v).strip("{}").replace("'", "") for v in values]
        table.add_row(name, *cells)
    table.add_row("p99 / that of one caller", *(f"{row.p99_ms / rows[0].p99_ms:.2f}" for row in rows))
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
