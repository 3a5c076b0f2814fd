"""Jobs in parts: resumable, on any number of processes."""

import json
import math
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from functools import partial
from multiprocessing import active_children
from pathlib import Path

import pytest

from ddfa.errors import DataError, DDFAError, OutputError
from ddfa.jobs import LOCK, check_settings, missing, run, run_all, run_missing, sole_writer


def test_settings_are_recorded_and_compared(tmp_path):
    path = tmp_path / "settings.json"
    assert not check_settings(path, {"size": 3, "pair": (1, 2), "name": None})
    assert json.loads(path.read_text()) == {"size": 3, "pair": [1, 2], "name": None}
    assert check_settings(path, {"name": None, "pair": (1, 2), "size": 3})
    with pytest.raises(DataError, match=r"other settings \(more, size\)"):
        check_settings(path, {"size": 4, "pair": (1, 2), "more": 1})


@pytest.mark.parametrize("damaged", ["", "3", "[1", "null"])
def test_damaged_settings_are_one_clear_error(tmp_path, damaged):
    (tmp_path / "settings.json").write_text(damaged)
    with pytest.raises(DataError, match="cannot be read"):
        check_settings(tmp_path / "settings.json", {})


def test_missing_parts(tmp_path):
    parts = [tmp_path / str(number) for number in range(4)]
    parts[1].touch()
    parts[3].mkdir()
    assert missing(parts) == [0, 2, 3]


@pytest.mark.parametrize("method", [None, "spawn"])
def test_every_task_runs_once(method):
    done = dict(run(partial(partial, math.sqrt), [0.0, 1.0, 4.0, 9.0], 2, method))
    assert done == {0: 0, 1: 1, 2: 2, 3: 3}


def test_results_come_in_the_order_of_the_tasks():
    assert run_all(partial(partial, math.sqrt), [9.0, 4.0, 1.0], 2) == [3, 2, 1]


def test_no_task_starts_no_process():
    assert not list(run(lambda: pytest.fail("opened"), [], 2))


def test_errors_of_tasks_and_of_opening_reach_the_caller():
    with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
        list(run(partial(partial, math.sqrt), [1.0, -1.0], 1))
    with pytest.raises(ZeroDivisionError):
        list(run(partial(divmod, 1, 0), [1.0], 1))


def test_a_worker_that_dies_is_one_clear_error():
    with pytest.raises(DDFAError, match=r"a worker process died.*to resume"):
        list(run(partial(partial, os._exit), [1], 1))


def touch_once(path):
    path.touch(exist_ok=False)


def test_only_missing_parts_are_done(tmp_path):
    parts = [tmp_path / str(number) for number in range(3)]
    parts[1].touch()
    run_missing(partial(partial, touch_once), parts, parts, workers=1)
    assert not missing(parts)
    run_missing(partial(partial, touch_once), parts, parts, workers=1)


def test_missing_parts_by_another_criterion(tmp_path):
    parts = [tmp_path / str(number) for number in range(2)]
    parts[0].write_bytes(b"whole")
    parts[1].touch()
    assert missing(parts, lambda part: part.stat().st_size > 0) == [1]


def test_a_folder_has_one_writer_and_no_temporary_files(tmp_path):
    stale, kept = tmp_path / f".{'0f' * 8}.tmp.npz", tmp_path / ".mine.tmp"
    stale.touch()
    kept.touch()
    with sole_writer(tmp_path):
        assert not stale.exists() and kept.exists()
        message = f"{tmp_path} is being written by process {os.getpid()} on {socket.gethostname()}"
        with pytest.raises(OutputError, match=re.escape(message)), sole_writer(tmp_path):
            pytest.fail("entered")
        stale.touch()
    assert list(tmp_path.iterdir()) == [kept]
    with sole_writer(tmp_path), pytest.raises(OutputError):
        run_missing(partial(partial, touch_once), [tmp_path / "part"], [tmp_path / "part"])


DRIVER = """
import sys, time
from functools import partial
from pathlib import Path
from ddfa.jobs import run, sole_writer

if __name__ == "__main__":
    with sole_writer(Path(sys.argv[1])):
        for _ in run(partial(partial, time.sleep), [0.0, 0.0, 100.0, 100.0], 2, sys.argv[2]):
            print("done", flush=True)
"""


def alive(mark: str) -> list[int]:
    """Processes with a variable in their environment, zombies excepted."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            environment = (entry / "environ").read_bytes().split(b"\0")
            if f"JOB={mark}".encode() in environment and (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc")
@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_workers_and_lock_end_with_a_killed_driver(tmp_path, method):
    (tmp_path / "driver.py").write_text(DRIVER)
    words = [sys.executable, str(tmp_path / "driver.py"), str(tmp_path), method]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, "JOB": str(tmp_path)}) as driver:
        driver.stdout.readline()
        assert len(alive(str(tmp_path))) >= 3
        with pytest.raises(OutputError, match=f"process {driver.pid} "), sole_writer(tmp_path):
            pytest.fail("entered")
        driver.kill()
        driver.wait()
        until = time.monotonic() + 20
        while alive(str(tmp_path)) and time.monotonic() < until:
            time.sleep(0.02)
        assert not alive(str(tmp_path))
    with sole_writer(tmp_path):
        assert (tmp_path / LOCK).is_file()
    assert not (tmp_path / LOCK).exists()


def test_a_closed_job_kills_its_workers():
    before, begun = active_children(), time.monotonic()
    with closing(run(partial(partial, time.sleep), [0.0, 100.0], 2, "spawn")) as results:
        next(results)
    assert active_children() == before and time.monotonic() - begun < 60
