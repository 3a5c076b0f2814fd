"""A process that ends what a driver has started with Ray, if the driver is killed while Ray starts.

Ray's processes end with their driver, but not those that it has begun to start. They inherit a variable of the
environment, by which they are found; in /proc, so on Linux only.
"""

import os
import secrets
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
_DONE: Final = b"done"
_PROCESSES: Final = Path("/proc")
_QUIET_S: Final = 3.0  # without such processes; one that is being forked or started is not seen for a moment
_LONGEST_S: Final = 60.0


@contextmanager
def guarded() -> Iterator[None]:
    """Processes started in the block end with this one, also if it is killed."""
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
        guard.stdin.write(_DONE)
    finally:
        del os.environ[_VARIABLE]
        with suppress(OSError):  # somebody has killed it
            guard.stdin.close()


def main(arguments: Sequence[str]) -> None:
    """Wait for the end of the input; unless it says that all is done, kill the processes with a variable."""
    if sys.stdin.buffer.read() == _DONE:
        return
    begun = seen = time.monotonic()
    while time.monotonic() < min(seen + _QUIET_S, begun + _LONGEST_S):
        for number in _marked(arguments[0].encode()):
            seen = time.monotonic()
            with suppress(OSError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.2)


def _marked(mark: bytes) -> Iterator[int]:
    for entry in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or belongs to somebody else
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)
