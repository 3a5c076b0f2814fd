"""Long jobs in parts: one file per part, done by a pool of processes, resumed where they stopped.

A part is done when its file exists. Part files are written with `files.atomic_path`, so that a process that is killed
never leaves half of one; a job that is started again does only the parts that are missing.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, TypeVar

from ddfa.errors import DataError, DDFAError
from ddfa.files import write_atomically

Task = TypeVar("Task")
Result = TypeVar("Result")

# Only in worker processes: what opens the worker, then the worker it opened.
_OPENERS: list[Callable[[], Callable[[Any], Any]]] = []
_WORKERS: list[Callable[[Any], Any]] = []


def check_settings(path: Path, settings: Mapping[str, Any]) -> bool:
    """Record what the parts of a job depend on, or compare it with what was recorded when the job was begun.

    Args:
        path: the settings file (JSON) beside the parts; its folder exists.
        settings: plain values that JSON can represent.

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
        raise DataError(f"{path} cannot be read: choose a new output folder") from None
    differing = [key for key in sorted(wanted.keys() | before.keys()) if wanted.get(key) != before.get(key)]
    if differing:
        raise DataError(
            f"{path.parent} was begun with other settings ({', '.join(differing)}): choose a new output folder, or "
            "repeat the same settings to resume"
        )
    return True


def missing(parts: Sequence[Path]) -> list[int]:
    """Indices of the part files that do not exist yet."""
    return [index for index, part in enumerate(parts) if not part.is_file()]


def run(
    open_worker: Callable[[], Callable[[Task], Result]],
    tasks: Sequence[Task],
    workers: int = 0,
    method: Literal["fork", "spawn"] | None = None,
) -> Iterator[tuple[int, Result]]:
    """Do tasks in a pool of processes.

    Args:
        open_worker: called once in each process, before its first task; returns the function that does a task.
            Picklable, as are tasks and results.
        tasks: what to do, one part each.
        workers: processes; 0 means one per core.
        method: how processes are started; None for the default of the platform.

    Yields:
        Index of a task and its result, in the order in which tasks finish.

    Raises:
        DDFAError: a worker process died.
        Exception: whatever opening a worker or a task raises. Tasks not yet begun are cancelled then.
    """
    if not tasks:
        return
    processes = min(workers or os.cpu_count() or 1, len(tasks))
    with ProcessPoolExecutor(processes, get_context(method), _start, (open_worker,)) as pool:
        try:
            waiting = {pool.submit(_do, task): index for index, task in enumerate(tasks)}
            for done in as_completed(waiting):
                yield waiting[done], done.result()
        except BrokenProcessPool:
            raise DDFAError(
                "a worker process died, possibly out of memory: give the same command again to resume, with fewer "
                "--workers"
            ) from None
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
    """
    todo = [tasks[index] for index in missing(parts)]
    for _ in with_progress(run(open_worker, todo, workers, method), label, len(todo)):
        pass


def run_all(
    open_worker: Callable[[], Callable[[Task], Result]], tasks: Sequence[Task], workers: int = 0, label: str = ""
) -> list[Result]:
    """Do tasks whose results fit into memory, with a progress bar; see `run`.

    Returns:
        The results, in the order of the tasks.
    """
    results = dict(with_progress(run(open_worker, tasks, workers), label, len(tasks)))
    return [results[index] for index in range(len(tasks))]


def with_progress(
    results: Iterable[Result], label: str, total: int, size: Callable[[Result], int] = lambda _: 1
) -> Iterator[Result]:
    """Pass results through, with a progress bar on standard error where that is a terminal.

    Args:
        results: as they are done.
        label: shown beside the bar.
        total: sum of all sizes.
        size: how far a result moves the bar.
    """
    if not sys.stderr.isatty():
        yield from results
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(label, total=total)
        for result in results:
            progress.advance(bar, size(result))
            yield result


def _start(open_worker: Callable[[], Callable[[Any], Any]]) -> None:
    # The worker is opened with its first task: an exception in the initializer of a pool would be lost.
    _OPENERS[:], _WORKERS[:] = [open_worker], []


def _do(task: Any) -> Any:
    if not _WORKERS:
        _WORKERS.append(_OPENERS[0]())
    return _WORKERS[0](task)
