"""Results that requests share, so that many requests cost no more work than one."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Shared(Generic[Result]):
    """The result of slow work, computed by one request at a time and kept for the others.

    Args:
        work: computes the result.
        keep_s: how long the result is kept, s.
    """

    def __init__(self, work: Callable[[], Awaitable[Result]], keep_s: float) -> None:
        self._work, self._keep = work, keep_s
        self._lock = asyncio.Lock()
        self._kept: tuple[float, Result] | None = None

    async def __call__(self) -> Result:
        """The result, at most `keep_s` old.

        Raises:
            Exception: whatever `work` raises; the next request tries again.
        """
        async with self._lock:
            if self._kept is None or time.monotonic() - self._kept[0] >= self._keep:
                result = await self._work()
                self._kept = time.monotonic(), result
            return self._kept[1]
