"""How much the service takes on at a time: requests in progress, bytes in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from ddfa.serve.errors import ServiceError, busy


class RequestQueue:
    """Requests that have arrived completely and are in progress or waiting for a thread.

    Args:
        most: maximum number of them.
        observe: called with their number whenever it changes.
    """

    def __init__(self, most: int, observe: Callable[[int], None] = lambda count: None) -> None:
        self._most, self._observe, self._count = most, observe, 0

    def check(self) -> None:
        """Refuse a request that would be one too many, before its body is read.

        Raises:
            ServiceError: 429.
        """
        if self._count >= self._most:
            raise busy()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take one of the places.

        Raises:
            ServiceError: 429, all are taken.
        """
        self.check()
        self._count += 1
        self._observe(self._count)
        try:
            yield
        finally:
            self._count -= 1
            self._observe(self._count)


class MemoryBudget:
    """Bytes that requests may use together.

    Args:
        limit: their maximum.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._used = 0
        self._turn, self._released = asyncio.Lock(), asyncio.Event()

    @contextmanager
    def growing(self) -> Iterator[Callable[[int], None]]:
        """Count bytes as they arrive: yields a function that adds some, which raises 503 if there are too many."""
        own = 0

        def add(size: int) -> None:
            nonlocal own
            if self._used + size > self.limit:
                raise ServiceError(503, "no_memory", "the service has no memory left: try again soon", retry_s=2)
            self._used += size
            own += size

        try:
            yield add
        finally:
            self._release(own)

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Count bytes that exist already, even beyond the limit: others have to wait or are refused."""
        self._used += size
        try:
            yield
        finally:
            self._release(size)

    @asynccontextmanager
    async def reserved(self, size: int) -> AsyncIterator[None]:
        """Wait, in order of arrival, until there is room for some bytes.

        Raises:
            ServiceError: 413, there can never be.
        """
        if size > self.limit:
            raise ServiceError(
                413, "too_many_pixels", f"the images need {size / 1e6:.0f} MB of memory: send smaller ones"
            )
        async with self._turn:
            while self._used + size > self.limit:
                self._released.clear()
                await self._released.wait()
            self._used += size
        try:
            yield
        finally:
            self._release(size)

    def _release(self, size: int) -> None:
        self._used -= size
        self._released.set()
