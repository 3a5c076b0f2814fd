"""Long jobs in parts: one file per part, done by a pool of processes, resumed where they stopped.

A part is done when its file exists. Part files are written with `files.atomic_path`, so that a process that is killed
never leaves half of one; a job that is started again does only the parts that are missing. One process at a time, the
driver, does a job (`sole_writer`); its workers end with it, however it ends.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any, Final, Literal, TextIO, TypeVar

from ddfa.errors import DataError, DDFAError, OutputError
from ddfa.files import remove_temporary, write_atomically
from ddfa.progress import track

if sys.platform != "win32":
    import fcntl

LOCK: Final = ".lock"  # in the folder of a job, while a driver writes into it

Task = TypeVar("Task")
Result = TypeVar("Result")

# Only in worker processes: what opens the worker, then the worker it opened.
_OPENERS: list[Callable[[], Callable[[Any], Any]]] = []
_WORKERS: list[Callable[[Any], Any]] = []


def check_settings(path: Path, settings: Mapping[str, Any], fix: str = "choose a new output folder") -> bool:
    """Record what the parts of a job depend on, or compare it with what was recorded when the job was begun.

    Args:
        path: the settings file (JSON) beside the parts; its folder exists.
        settings: plain values that JSON can represent.
        fix: what to do instead of repeating the same settings, for messages.

    Returns:
        Whether the job was begun before.

    Raises:
        DataError: it was begun with other settings, or the file is damaged.
        OutputError: the file cannot be written.
    """
    text = json.dumps(settings, indent=2) + "\n"
    if not path.is_file():
        write_atomically(path, text.encode())
        return False
    wanted: dict[str, Any] = json.loads(text)
    try:
        before = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        raise DataError(f"{path} cannot be read: {fix}") from None
    differing = [key for key in sorted(wanted.keys() | before.keys()) if wanted.get(key) != before.get(key)]
    if differing:
        raise DataError(
            f"{path.parent} was begun with other settings ({', '.join(differing)}): {fix}, or repeat the same settings "
            "to resume"
        )
    return True


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Let no other driver write into a folder; temporary files of killed ones are removed before and after.

    The lock belongs to this process: it ends with it, even if it is killed. Folders on file systems without locks, and
    on Windows, are not locked.

    Args:
        folder: of the parts; exists.

    Raises:
        OutputError: another process holds it, or the folder cannot be written.
    """
    with _locked(folder / LOCK):
        remove_temporary(folder)
        try:
            yield
        finally:
            remove_temporary(folder)


def missing(parts: Sequence[Path], is_done: Callable[[Path], bool] = Path.is_file) -> list[int]:
    """Indices of the part files that do not exist yet, or are not done by another criterion."""
    return [index for index, part in enumerate(parts) if not is_done(part)]


def run(
    open_worker: Callable[[], Callable[[Task], Result]],
    tasks: Sequence[Task],
    workers: int = 0,
    method: Literal["fork", "spawn"] | None = None,
) -> Generator[tuple[int, Result]]:
    """Do tasks in a pool of processes.

    Args:
        open_worker: called once in each process, before its first task; returns the function that does a task.
            Picklable, as are tasks and results.
        tasks: what to do, one part each.
        workers: processes; 0 means one per core.
        method: how processes are started; None for the default of the platform.

    Yields:
        Index of a task and its result, in the order in which tasks finish. When it is interrupted or closed before the
        end, the processes are killed.

    Raises:
        DDFAError: a worker process died.
        Exception: whatever opening a worker or a task raises. Tasks not yet begun are cancelled then.
    """
    if not tasks:
        return
    processes = min(workers or os.cpu_count() or 1, len(tasks))
    others = active_children()
    with ProcessPoolExecutor(processes, get_context(method), _start, (open_worker,)) as pool:
        try:
            with _without_interrupts():  # inherited by the processes started here: Ctrl-C reaches the driver only
                waiting = {pool.submit(_do, task): index for index, task in enumerate(tasks)}
            for done in as_completed(waiting):
                yield waiting[done], done.result()
        except BrokenProcessPool:
            raise DDFAError(
                "a worker process died, possibly out of memory: give the same command again to resume, with fewer "
                "--workers"
            ) from None
        except (KeyboardInterrupt, GeneratorExit):
            for process in active_children():
                if process not in others:
                    process.kill()
            raise
        finally:
            pool.shutdown(cancel_futures=True)  # waits for the tasks begun: no process outlives the job


def run_missing(
    open_worker: Callable[[], Callable[[Task], Any]],
    parts: Sequence[Path],
    tasks: Sequence[Task],
    workers: int = 0,
    label: str = "",
    method: Literal["fork", "spawn"] | None = None,
) -> None:
    """Do the tasks whose part files are missing, with a progress bar.

    Args:
        open_worker: see `run`; its function writes the part file of the task it is given.
        parts: the part file of each task.
        tasks: all tasks of the job.
        workers: processes; 0 means one per core.
        label: shown beside the bar.
        method: see `run`.

    Raises:
        OutputError: another process is doing this job; see `sole_writer`.
    """
    if not parts:
        return
    with sole_writer(parts[0].parent):
        todo = [tasks[index] for index in missing(parts)]
        with closing(run(open_worker, todo, workers, method)) as done:
            for _ in track(done, label, len(todo)):
                pass


def run_all(
    open_worker: Callable[[], Callable[[Task], Result]], tasks: Sequence[Task], workers: int = 0, label: str = ""
) -> list[Result]:
    """Do tasks whose results fit into memory, with a progress bar; see `run`.

    Returns:
        The results, in the order of the tasks.
    """
    results = dict(track(run(open_worker, tasks, workers), label, len(tasks)))
    return [results[index] for index in range(len(tasks))]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        file = _lock(path)
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror}): choose another place, or make room") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before the lock is released: nobody else can have locked this file
        file.close()


def _lock(path: Path) -> TextIO:
    """Lock a file that says who holds it; the lock lasts until the file is closed or the process ends."""
    while True:
        file = path.open("a+")
        try:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.readline().strip() or "another process"
            file.close()
            raise OutputError(f"{path.parent} is being written by {holder}: wait until it ends, or stop it") from None
        except OSError:  # a file system without locks
            pass
        if _is_same(file, path):
            break
        file.close()  # its holder removed it while we opened it
    file.truncate(0)
    print(f"process {os.getpid()} on {socket.gethostname()}", file=file, flush=True)
    return file


def _is_same(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """SIGINT waits; one that arrives in the block is raised at its end."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(open_worker: Callable[[], Callable[[Any], Any]]) -> None:
    Thread(target=_end_with_driver, daemon=True).start()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a forked process has the driver's handler
    # The worker is opened with its first task: an exception in the initializer of a pool would be lost.
    _OPENERS[:], _WORKERS[:] = [open_worker], []


def _end_with_driver() -> None:
    driver = parent_process()
    if driver is not None:
        driver.join()  # a pipe, which the system closes when the driver ends, however it ends
        os._exit(1)


def _do(task: Any) -> Any:
    if not _WORKERS:
        _WORKERS.append(_OPENERS[0]())
    return _WORKERS[0](task)
