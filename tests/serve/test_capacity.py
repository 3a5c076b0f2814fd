import asyncio

import pytest

pytest.importorskip("fastapi", reason="needs the extra `serve`")

from ddfa.serve.capacity import MemoryBudget, RequestQueue
from ddfa.serve.errors import ServiceError


def test_one_request_too_many_is_told_to_wait():
    counts = []
    queue = RequestQueue(1, counts.append)
    with queue.place(), pytest.raises(ServiceError) as refused, queue.place():
        pass
    assert (refused.value.status, refused.value.retry_s) == (429, 1)
    with queue.place():
        pass
    assert counts == [1, 0, 1, 0]


def test_reservations_wait_for_room_in_their_order():
    async def work():
        budget, order, present, most = MemoryBudget(100), [], 0, 0

        async def use(name, size):
            nonlocal present, most
            async with budget.reserved(size):
                present += size
                most = max(most, present)
                order.append(name)
                await asyncio.sleep(0.01)
                present -= size

        await asyncio.gather(use("a", 60), use("b", 100), use("c", 10), use("d", 90))
        return order, most

    assert asyncio.run(work()) == (["a", "b", "c", "d"], 100)


def test_what_never_fits_is_refused_at_once():
    async def work():
        async with MemoryBudget(100).reserved(101):
            pass

    with pytest.raises(ServiceError) as refused:
        asyncio.run(work())
    assert refused.value.status == 413


def test_a_reservation_that_is_given_up_leaves_nothing_behind():
    async def work():
        budget = MemoryBudget(100)
        async with budget.reserved(100):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01), budget.reserved(50):
                    pass
        async with asyncio.timeout(1), budget.reserved(100):
            return True

    assert asyncio.run(work())


def test_bytes_that_arrive_are_refused_when_the_budget_is_used_up():
    budget = MemoryBudget(100)
    with budget.growing() as add:
        add(60)
        with budget.growing() as other:
            other(40)
            with pytest.raises(ServiceError) as refused:
                other(1)
        assert (refused.value.status, refused.value.code) == (503, "no_memory")
    with budget.holding(150), pytest.raises(ServiceError), budget.growing() as add:  # an answer is there already
        add(1)
    with budget.growing() as add:
        add(100)
