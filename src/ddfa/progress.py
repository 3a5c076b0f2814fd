"""Progress bars on standard error: shown on a terminal, once two seconds have passed, unless they are switched off."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

_DELAY_S: Final = 2.0
_Item = TypeVar("_Item")
_hidden = [False]  # the last entry counts


@contextmanager
def hidden(hide: bool = True) -> Iterator[None]:
    """Show no progress in the block, as `--quiet` asks.

    Args:
        hide: False leaves it as it is.
    """
    _hidden.append(_hidden[-1] or hide)
    try:
        yield
    finally:
        _hidden.pop()


class Bar:
    """One progress bar; the methods do nothing where no bar is shown.

    Args:
        label: shown beside the bar.
        total: how far it goes; None while that is unknown, then it only shows that something is going on.
        done: where it begins.
        shown: False for a bar that is never shown.
    """

    def __init__(self, label: str, total: int | None = None, done: int = 0, *, shown: bool = True) -> None:
        self._label, self._total, self._done, self._note, self._shown = label, total, done, "", shown
        self._progress: Progress | None = None
        self._lock, self._ended = Lock(), False
        self._timer = Timer(_DELAY_S, self._appear)
        self._timer.daemon = True

    def advance(self, by: int = 1) -> None:
        """Move the bar."""
        self._done += by
        self._update()

    def note(self, text: str) -> None:
        """Say beside the bar what is going on."""
        self._note = text
        self._update()

    def __enter__(self) -> "Bar":
        if self._shown and sys.stderr.isatty() and not _hidden[-1]:
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._ended = True
            if self._progress is not None:
                self._progress.stop()

    def _appear(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Remaining
        from rich.table import Column

        with self._lock:
            if self._ended:
                return
            note = TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, ratio=1), markup=False)
            times = (TaskProgressColumn(), Remaining()) if self._total else (TimeElapsedColumn(),)
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                *times,
                note,
                console=Console(stderr=True),
                transient=True,
                redirect_stdout=sys.stdout.isatty(),  # what goes to a file must not get onto the terminal
            )
            self._progress.add_task(self._label, total=self._total, completed=self._done, note=self._note)
            self._progress.start()

    def _update(self) -> None:
        if self._progress is not None:
            task = self._progress.tasks[0].id
            self._progress.update(task, completed=self._done, note=self._note)


def track(
    items: Iterable[_Item], label: str, total: int | None = None, size: Callable[[_Item], int] = lambda _: 1
) -> Iterator[_Item]:
    """Pass items through, with a progress bar.

    Args:
        items: of which each is done when the next one is asked for.
        label: shown beside the bar.
        total: sum of all sizes; by default the number of items, if they have one.
        size: how far an item moves the bar.
    """
    if total is None and isinstance(items, Sized):
        total = len(items) if len(items) > 1 else None
    with Bar(label, total) as bar:
        for item in items:
            yield item
            bar.advance(size(item))
