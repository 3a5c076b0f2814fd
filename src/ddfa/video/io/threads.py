"""Two threads of a pipeline: one that fetches ahead, one that works behind."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class _End:
    """What a thread puts last: the error that ended it, or None."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetched(items: Iterable[Item], depth: int = 4) -> Iterator[Item]:
    """Iterate in a thread of its own, at most `depth` items ahead.

    Args:
        items: iterated once; its errors are raised here.
        depth: how many items may wait.

    Yields:
        The items.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: Item | _End) -> None:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.1)
                break
            except queue.Full:
                continue

    def fetch() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                put(item)
                if stop.is_set():
                    break
            put(_End(None))
        except BaseException as error:
            put(_End(error))
        finally:
            close = getattr(iterator, "close", None)  # a generator's files are closed by the thread that used them
            if close:
                close()

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        thread.join()


class Worker(Generic[Item]):
    """Handles items one after the other in a thread of its own.

    Args:
        handle: called with each item; its first error is raised by the next `put` or by `close`.
        depth: how many items may wait before `put` blocks.
    """

    def __init__(self, handle: Callable[[Item], None], depth: int = 4) -> None:
        self._handle = handle
        self._waiting: queue.Queue[Item | _End] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand over an item.

        Raises:
            BaseException: what an earlier item raised.
        """
        self._complain()
        self._waiting.put(item)

    def close(self) -> None:
        """Wait until all items are handled; nothing happens the second time.

        Raises:
            BaseException: what an item raised and was not told yet.
        """
        if not self._closed:
            self._closed = True
            self._waiting.put(_End(None))
            self._thread.join()
        self._complain()

    def _work(self) -> None:
        while not isinstance(item := self._waiting.get(), _End):
            if self._error is None:  # after an error the rest is dropped, so that `put` never blocks for good
                try:
                    self._handle(item)
                except BaseException as error:
                    self._error = error

    def _complain(self) -> None:
        if self._error is not None:
            raise self._error
