"""Fuzz the readers of untrusted files.

    python tools/fuzz.py --seconds 60                 # all readers, in turn
    python tools/fuzz.py --targets pickles --cases 100000 --seconds 3600

Each case is a file that a generator made from a seed and a number. A reader has to return a result or raise one of the
project's errors; a signal, any other exception, or more than `--limit` seconds for a case is a finding. Readers run in
processes of their own with an address space of `--memory` GB. Findings are printed with the numbers that reproduce
them (`--targets NAME --first NUMBER --cases 1`) and make the exit code 1.
"""

import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import tyro

from ddfa.errors import DDFAError, ModelError
from fuzzing import mutations

_CHUNK: Final = 500  # cases of a process before the next target has its turn


@dataclass(frozen=True)
class Options:
    """The campaign.

    Attributes:
        seconds: stop after so long.
        seed: of all cases.
        targets: readers to fuzz; all by default.
        cases: stop after so many cases of each reader; 0 for no limit.
        first: number of the first case.
        limit: seconds that a case may take.
        memory: address space of a process, GB.
        json: also write the figures into this file.
    """

    seconds: float = 60.0
    seed: int = 0
    targets: tuple[str, ...] = ()
    cases: int = 0
    first: int = 0
    limit: float = 20.0
    memory: float = 8.0
    json: Path | None = None


def _pickles(folder: Path) -> tuple[Callable[[random.Random], bytes], Callable[[bytes], object]]:
    from ddfa.head.readers import load_head
    from ddfa.pickles import load_arrays

    path = folder / "basis.pkl"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        load_arrays(path)
        with suppress(ModelError):  # arrays, but not those of a basis
            load_head(path)

    return mutations.pickle_case, read


def _heads(folder: Path) -> tuple[Callable[[random.Random], bytes], Callable[[bytes], object]]:
    import numpy as np

    from ddfa.head.open import load_npz

    path = folder / "head.npz"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        head = load_npz(path)
        head.decode(np.ones((1, len(head.identity_std))), np.ones((1, len(head.expression_names))))
        _ = head.landmark_points

    return mutations.head_case, read


def _cards(folder: Path) -> tuple[Callable[[random.Random], bytes], Callable[[bytes], object]]:
    from ddfa.regress.bundle import CARD_FILE, MODEL_FILE, Bundle, sha256_of
    from ddfa.regress.registry import find_bundle

    bundle = folder / "bundle"
    bundle.mkdir()
    (bundle / MODEL_FILE).write_bytes(b"network")
    card = find_bundle(None).card() | {"files": {MODEL_FILE: sha256_of(bundle / MODEL_FILE)}}

    def read(content: bytes) -> None:
        (bundle / CARD_FILE).write_bytes(content)
        Bundle.load(bundle)

    return mutations.card_case(card), read


def _images(folder: Path) -> tuple[Callable[[random.Random], bytes], Callable[[bytes], object]]:
    from ddfa.images import decode_image

    return mutations.image_case, lambda content: decode_image(content, "case")


def _boxes(folder: Path) -> tuple[Callable[[random.Random], bytes], Callable[[bytes], object]]:
    from ddfa.detect.boxes import read_boxes

    def read(content: bytes) -> None:
        path = folder / ("boxes.json" if content[:1] in (b"[", b"{") else "boxes.txt")
        path.write_bytes(content)
        read_boxes(path)

    return mutations.boxes_case, read


TARGETS: Final = {"pickles": _pickles, "heads": _heads, "cards": _cards, "images": _images, "boxes": _boxes}


def _work(name: str, seed: int, numbers: range, memory: float, pipe: Connection) -> None:
    """Run cases; before each its number is sent, and after it the outcome."""
    size = int(memory * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    sys.stderr = open("/dev/null", "w")  # noqa: SIM115  (lives as long as the process)
    with tempfile.TemporaryDirectory() as folder:
        make, read = TARGETS[name](Path(folder))
        for number in numbers:
            content = make(random.Random(f"{name} {seed} {number}"))
            pipe.send(number)
            try:
                read(content)
                outcome = "read"
            except DDFAError:
                outcome = "refused"
            except Exception as error:
                outcome = f"{type(error).__name__}: {error}"[:300]
            pipe.send(outcome)
    pipe.send(None)


def _run(name: str, options: Options, numbers: range, counts: Counter[str], findings: list[str]) -> int:
    """Run cases in one process; returns how many were begun."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=_work, args=(name, options.seed, numbers, options.memory, there), daemon=True)
    worker.start()
    there.close()
    begun, number = 0, numbers.start
    waiting = 120.0  # for the start of the process
    while True:
        try:
            if not here.poll(waiting):
                findings.append(f"{name} {number}: more than {options.limit:g} s")
                counts["timeouts"] += 1
                break
            message = here.recv()
        except EOFError:
            worker.join()
            findings.append(f"{name} {number}: signal {-(worker.exitcode or 0)}")
            counts["signals"] += 1
            break
        waiting = options.limit
        if message is None:
            break
        if isinstance(message, int):
            number, begun = message, begun + 1
            counts["tried"] += 1
        elif message in ("read", "refused"):
            counts[message] += 1
        else:
            findings.append(f"{name} {number}: {message}")
            counts["other exceptions"] += 1
    worker.kill()
    worker.join()
    return max(begun, 1)


def main(options: Options) -> int:
    """Run the campaign; returns 1 if there are findings."""
    names = options.targets or tuple(TARGETS)
    counts = {name: Counter[str]() for name in names}
    seconds = dict.fromkeys(names, 0.0)
    following = dict.fromkeys(names, options.first)
    findings: list[str] = []
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        open_targets = [name for name in names if not options.cases or following[name] < options.first + options.cases]
        if not open_targets:
            break
        for name in open_targets:
            if time.monotonic() >= end:
                break
            left = options.first + options.cases - following[name] if options.cases else _CHUNK
            began = time.monotonic()
            numbers = range(following[name], following[name] + min(_CHUNK, left))
            following[name] += _run(name, options, numbers, counts[name], findings)
            seconds[name] += time.monotonic() - began
    columns = ("tried", "read", "refused", "signals", "other exceptions", "timeouts")
    print(f"{'reader':10s}" + "".join(f"{column:>18s}" for column in columns) + f"{'seconds':>10s}")
    for name in names:
        print(f"{name:10s}" + "".join(f"{counts[name][column]:18d}" for column in columns) + f"{seconds[name]:10.0f}")
    for finding in findings[:50]:
        print(finding)
    if options.json is not None:
        record: dict[str, Any] = {name: dict(counts[name]) | {"seconds": seconds[name]} for name in names}
        options.json.write_text(json.dumps({"results": record, "findings": findings}, indent=2) + "\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
