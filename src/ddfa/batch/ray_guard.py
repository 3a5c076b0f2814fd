"""A process that ends what a driver has started with Ray, when the driver has ended or was killed.

Ray's processes end with their driver, but not those that are being started at that moment. They inherit a variable of
the environment, by which they are found; in /proc, so on Linux only.
"""

import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ddfa.child_processes import module_command

_VARIABLE: Final = "DDFA_RAY_RUN"
_PROCESSES: Final = Path("/proc")
_EVERY_S: Final = 0.25
_QUIET_S: Final = 3.0  # without such processes; one that is being forked or started is not seen for a moment
_LONGEST_S: Final = 60.0
_STARTTIME: Final = 22 - 4  # field 22 of /proc/PID/stat, of those from the fourth on


@contextmanager
def guarded() -> Iterator[None]:
    """Processes started in the block end after it, also if this one is killed."""
    if not (_PROCESSES / "self" / "environ").is_file():
        yield
        return
    mark = secrets.token_hex(8)
    command = module_command("ddfa.batch.ray_guard", f"{_VARIABLE}={mark}")
    # Its own session: Ctrl-C and signals to the group of the driver are not for it. It ends after its input does.
    quiet = subprocess.DEVNULL
    guard = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True)
    assert guard.stdin is not None
    os.environ[_VARIABLE] = mark
    try:
        yield
    finally:
        del os.environ[_VARIABLE]
        guard.stdin.close()


def main(arguments: Sequence[str]) -> None:
    """Wait for the end of the input, then kill the processes with a variable."""
    mark, known = arguments[0].encode(), set[tuple[int, str]]()
    while not select.select([sys.stdin], [], [], _EVERY_S)[0]:
        known |= _marked(mark)  # now: a process that sets its title may overwrite the variable
    begun = seen = time.monotonic()
    while time.monotonic() < min(seen + _QUIET_S, begun + _LONGEST_S):
        known = {(number, started) for number, started in known | _marked(mark) if _started(number) == started != ""}
        for number, _ in known:
            seen = time.monotonic()
            with suppress(OSError):
                os.kill(number, signal.SIGKILL)
        time.sleep(_EVERY_S)


def _marked(mark: bytes) -> set[tuple[int, str]]:
    """Ids and start times of the processes with a variable."""
    found = set()
    for entry in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or belongs to somebody else
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.add((int(entry.name), _started(int(entry.name))))
    return found


def _started(number: int) -> str:
    """When a process was started, in ticks since the system was; empty if it has ended."""
    try:
        status = (_PROCESSES / str(number) / "stat").read_text()
    except OSError:
        return ""
    state, *fields = status.rpartition(")")[2].split()  # the name before may contain spaces
    return "" if state == "Z" else fields[_STARTTIME]
