"""Micro-batching: items of concurrent requests are processed in one batch."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class MicroBatcher(Generic[Item, Result]):
    """Collects items for a short time and processes them together, one batch at a time.

    While one batch is processed the next is collected, so batches grow under load without additional delay; a single
    item waits for the window at most.

    Args:
        work: maps items to results in the same order; runs in `executor`.
        executor: an executor with one thread.
        most: maximum number of items in a batch.
        window_s: how long the first item waits for others, s.
        observe: called with the size of each batch.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        executor: Executor,
        most: int,
        window_s: float,
        observe: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._work, self._executor, self._observe = work, executor, observe
        self._most, self._window = max(1, most), window_s
        self._waiting: asyncio.Queue[tuple[Item, asyncio.Future[Result]]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Result:
        """Process one item, together with others.

        Raises:
            Exception: whatever `work` raises for this item alone.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        await self._waiting.put((item, future))
        return await future

    async def close(self) -> None:
        """Stop; waiting items are cancelled."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        while not self._waiting.empty():
            self._waiting.get_nowait()[1].cancel()

    async def _run(self) -> None:
        while True:
            batch = await self._collect()
            batch = [(item, future) for item, future in batch if not future.done()]  # skip items whose caller is gone
            if batch:
                self._observe(len(batch))
                await self._process(batch)

    async def _collect(self) -> list[tuple[Item, "asyncio.Future[Result]"]]:
        batch = [await self._waiting.get()]
        with suppress(TimeoutError):
            async with asyncio.timeout(self._window):
                while len(batch) < self._most:
                    batch.append(await self._waiting.get())
        return batch

    async def _process(self, batch: Sequence[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        """Process a batch; if it fails, process its items one by one, so that one bad item does not fail the others."""
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._executor, self._work, [item for item, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                _fail(batch[0][1], error)
                return
            for one in batch:
                await self._process([one])
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


def _fail(future: "asyncio.Future[Result]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
