import asyncio

import pytest

from ddfa.serve.shared import Shared


class Work:
    """Counts how often it is done; fails the first `failures` times."""

    def __init__(self, failures=0):
        self.count, self.failures = 0, failures

    async def __call__(self):
        self.count += 1
        await asyncio.sleep(0.01)
        if self.count <= self.failures:
            raise OSError("no")
        return self.count


def test_many_requests_at_once_cost_one():
    work = Work()

    async def ask():
        shared = Shared(work, 60)
        return await asyncio.gather(*(shared() for _ in range(50)))

    assert asyncio.run(ask()) == [1] * 50 and work.count == 1


def test_an_old_result_is_computed_again():
    async def ask():
        shared = Shared(Work(), 0)
        return [await shared(), await shared()]

    assert asyncio.run(ask()) == [1, 2]


def test_a_failure_is_not_kept():
    async def ask():
        shared = Shared(Work(failures=1), 60)
        with pytest.raises(OSError, match="no"):
            await shared()
        return await shared()

    assert asyncio.run(ask()) == 2
