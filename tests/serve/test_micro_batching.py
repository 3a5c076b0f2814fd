import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from ddfa.serve.micro_batching import MicroBatcher


def run(scenario, work, **options):
    """Run `scenario(batcher)`; returns its result and the sizes of the batches."""
    sizes = []

    async def main():
        with ThreadPoolExecutor(1) as executor:
            settings = {"most": 8, "window_s": 0.02} | options
            batcher = MicroBatcher(work, executor, observe=sizes.append, **settings)
            try:
                return await scenario(batcher)
            finally:
                await batcher.close()

    return asyncio.run(main()), sizes


def squares(items):
    return [item * item for item in items]


def test_items_that_come_together_are_treated_together():
    async def scenario(batcher):
        return await asyncio.gather(*(batcher(k) for k in range(20)))

    results, sizes = run(scenario, squares)
    assert results == [k * k for k in range(20)]
    assert sizes == [8, 8, 4]


def test_an_item_does_not_wait_for_ever():
    async def scenario(batcher):
        return await asyncio.wait_for(batcher(3), 5)

    assert run(scenario, squares) == (9, [1])


def test_a_bad_item_costs_the_others_nothing():
    def work(items):
        if 3 in items:
            raise ValueError("three")
        return squares(items)

    async def scenario(batcher):
        return await asyncio.gather(*(batcher(k) for k in range(5)), return_exceptions=True)

    results, _ = run(scenario, work)
    assert results[:3] == [0, 1, 4] and results[4] == 16
    assert isinstance(results[3], ValueError)


def test_items_nobody_waits_for_are_left_out():
    async def scenario(batcher):
        tasks = [asyncio.create_task(batcher(k)) for k in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results, sizes = run(scenario, squares)
    assert results[0] == 0 and results[2] == 4 and isinstance(results[1], asyncio.CancelledError)
    assert sizes == [2]


def test_closing_lets_nobody_hang():
    async def scenario(batcher):
        waiting = asyncio.create_task(batcher(1))
        await asyncio.sleep(0)
        await batcher.close()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(waiting, 5)

    run(scenario, squares, window_s=10)
