"""Corpus runs whose driver or a worker is killed at random moments: what is lost, done twice or left behind.

    python benchmarks/kill.py [--photos N] [--kills N] [--engines local ray] [--seed N] [--json FILE]

`ddfa batch` is started again after each kill until its table is complete; the table is compared with that of an
undisturbed run, and the next one is begun. Linux only: processes are found in /proc by a variable of their environment.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tyro
from rich.console import Console
from rich.table import Table

from ddfa.images import read_image, write_image

SAMPLES = Path(__file__).parents[1] / "samples"
MARK: Final = "DDFA_KILL_RUN"
PATIENCE_S: Final = 20.0  # for processes to end after their driver


@dataclass
class Campaign:
    """Outcome of the kills of one engine.

    Attributes:
        engine: local or ray.
        photos: in the corpus.
        drivers: kills of the driver.
        workers: kills of a worker.
        recovered: kills of a worker after which the run itself went on to its end.
        complete: tables that were completed.
        different: completed tables that differ from the undisturbed one.
        damaged: part files that could not be read after a kill.
        orphans: processes still alive `PATIENCE_S` after their driver.
        orphan_s: longest time that a process outlived its driver.
        temporary: temporary files or locks in completed tables.
        wrong_exits: ends of a run, other than by the kill itself, without exit code 0 or one line and code 2.
        seconds: wall-clock time.
    """

    engine: str
    photos: int
    drivers: int = 0
    workers: int = 0
    recovered: int = 0
    complete: int = 0
    different: int = 0
    damaged: int = 0
    orphans: int = 0
    orphan_s: float = 0.0
    temporary: int = 0
    wrong_exits: int = 0
    seconds: float = 0.0


def make_corpus(folder: Path, count: int) -> Path:
    """Write small photos."""
    folder.mkdir()
    samples = [read_image(path) for path in sorted(SAMPLES.glob("*.jpg"))]
    for k in range(count):
        image = samples[k % len(samples)]
        scale = (240 + k % 160) / max(image.shape[:2])
        resized = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        write_image(folder / f"{k:05d}.jpg", np.asarray(resized, np.uint8))
    return folder


def start(corpus: Path, output: Path, engine: str, run: str) -> subprocess.Popen[str]:
    """Start `ddfa batch` in small shards on two workers."""
    words = [sys.executable, "-m", "ddfa.cli", "batch", str(corpus), "-o", str(output), "--engine", engine]
    return subprocess.Popen(
        [*words, "--shard", "10", "--workers", "2"],
        env={**os.environ, MARK: run},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes(run: str) -> dict[int, bytes]:
    """Command lines of the processes of a run by their ids."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={run}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = (entry / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
    return {number: command for number, command in found.items() if command}  # no zombies


def workers(run: str) -> list[int]:
    """The processes of a run that align photos."""
    signs = (b"spawn_main", b"ray::MapWorker")
    return sorted(number for number, command in processes(run).items() if any(sign in command for sign in signs))


def rows(folder: Path) -> pa.Table:
    """The table of a run."""
    return pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("part-*.parquet"))])


def kill(campaign: Campaign, process: subprocess.Popen[str], run: str, choice: random.Random, wait_s: float) -> bool:
    """Kill the driver or a worker after some seconds, and wait for the end.

    Returns:
        Whether the run completed its table.
    """
    with suppress(subprocess.TimeoutExpired):
        process.wait(wait_s)
    candidates = workers(run)
    worker = bool(candidates) and choice.random() < 0.5
    alive = process.poll() is None
    if alive:
        try:
            os.kill(choice.choice(candidates) if worker else process.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has ended in this moment
            alive = False
        campaign.workers += alive and worker
        campaign.drivers += alive and not worker
    _, error = process.communicate()
    campaign.recovered += alive and worker and process.returncode == 0
    one_line = process.returncode == 2 and error.count("\n") == 1
    if not (process.returncode == 0 or one_line or (alive and not worker)):
        campaign.wrong_exits += 1
        print(f"wrong exit {process.returncode}: {error}", file=sys.stderr)
    ended = time.monotonic()
    while processes(run) and time.monotonic() - ended < PATIENCE_S:
        time.sleep(0.05)
    campaign.orphan_s = max(campaign.orphan_s, time.monotonic() - ended)
    for number, command in processes(run).items():
        campaign.orphans += 1
        print("still alive:", command.replace(b"\0", b" ").decode(errors="replace")[:200], file=sys.stderr)
        os.kill(number, signal.SIGKILL)
    return process.returncode == 0


def run_campaign(folder: Path, corpus: Path, engine: str, kills: int, seed: int) -> Campaign:
    """Kill runs of one engine until there were so many kills and the last table is complete."""
    campaign = Campaign(engine, len(list(corpus.iterdir())))
    choice, begun = random.Random(seed), time.monotonic()
    undisturbed = start(corpus, folder / "wanted", engine, "undisturbed")
    _, error = undisturbed.communicate()
    if undisturbed.returncode:
        raise SystemExit(f"the undisturbed run failed: {error}")
    longest = time.monotonic() - begun
    wanted, output = rows(folder / "wanted"), folder / "output"
    number, done = 0, True
    while campaign.drivers + campaign.workers < kills or not done:
        number += 1
        run = f"{engine}{os.getpid()}-{number}"
        enough = campaign.drivers + campaign.workers >= kills
        wait_s = 3600.0 if enough else choice.uniform(0, longest)
        done = kill(campaign, start(corpus, output, engine, run), run, choice, wait_s)
        for path in output.glob("part-*.parquet"):
            campaign.damaged += pq.read_metadata(path).num_rows == 0
        if done:
            campaign.complete += 1
            campaign.different += not rows(output).equals(wanted)
            campaign.temporary += sum(path.name.startswith(".") for path in output.iterdir())
            shutil.rmtree(output)
    campaign.seconds = time.monotonic() - begun
    return campaign


def main(
    photos: int = 300,
    kills: int = 20,
    engines: tuple[Literal["local", "ray"], ...] = ("local", "ray"),
    seed: int = 0,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> None:
    """Run the campaign of each engine and print the counts.

    Args:
        photos: in the corpus.
        kills: per engine.
        engines: of `ddfa batch`.
        seed: of the moments and of the choice between driver and workers.
        json_file: write the counts there, too.
    """
    campaigns = []
    with tempfile.TemporaryDirectory() as temporary:
        corpus = make_corpus(Path(temporary) / "corpus", photos)
        for engine in engines:
            folder = Path(temporary) / engine
            folder.mkdir()
            campaigns.append(run_campaign(folder, corpus, engine, kills, seed))
    table = Table("", *engines)
    for name in list(asdict(campaigns[0]))[1:]:
        values = [getattr(campaign, name) for campaign in campaigns]
        table.add_row(name, *(f"{value:.1f}" if isinstance(value, float) else str(value) for value in values))
    Console().print(table)
    if json_file:
        json_file.write_text(json.dumps([asdict(campaign) for campaign in campaigns], indent=2) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
