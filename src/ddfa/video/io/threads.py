"""Threads of a pipeline: `prefetched` iterates ahead of its consumer, `Worker` processes items in the background."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class _End:
    """The last item of a queue: the error that ended the thread, or None."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetched(items: Iterable[Item], depth: int = 4) -> Iterator[Item]:
    """Iterate in a separate thread, at most `depth` items ahead.

    Args:
        items: iterated once; its errors are raised to the consumer.
        depth: maximum number of items in the queue.

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
            close = getattr(iterator, "close", None)  # a generator closes its files in the thread that used them
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
    """Processes items in order in a separate thread.

    Args:
        handle: called with each item; its first error is raised by the next `put` or by `close`.
        depth: maximum number of queued items; then `put` blocks.
    """

    def __init__(self, handle: Callable[[Item], None], depth: int = 4) -> None:
        self._handle = handle
        self._waiting: queue.Queue[Item | _End] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Queue an item.

        Raises:
            BaseException: the error of an earlier item.
        """
        self._raise_error()
        self._waiting.put(item)

    def close(self) -> None:
        """Wait until all items are processed; a second call does nothing.

        Raises:
            BaseException: the error of an item.
        """
        if not self._closed:
            self._closed = True
            self._waiting.put(_End(None))
            self._thread.join()
        self._raise_error()

    def _work(self) -> None:
        while not isinstance(item := self._waiting.get(), _End):
            if self._error is None:  # after an error the rest is dropped, so that `put` cannot block forever
                try:
                    self._handle(item)
                except BaseException as error:
                    self._error = error

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
