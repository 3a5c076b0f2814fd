import threading

import pytest

from ddfa.video.io.threads import Worker, prefetched


def test_prefetched_keeps_order_and_passes_errors() -> None:
    def numbers():
        yield from range(20)
        raise ValueError("broken")

    items = prefetched(numbers(), 3)
    assert [next(items) for _ in range(20)] == list(range(20))
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_leaving_early_closes_the_source() -> None:
    closed = threading.Event()

    def forever():
        try:
            while True:
                yield 1
        finally:
            closed.set()

    items = prefetched(forever(), 2)
    assert next(items) == 1
    items.close()
    assert closed.is_set()


def test_worker_handles_all_and_tells_its_first_error() -> None:
    handled: list[int] = []
    worker = Worker(handled.append, 2)
    for number in range(10):
        worker.put(number)
    worker.close()
    assert handled == list(range(10))

    broken = Worker(lambda number: 1 // number, 2)
    for number in (1, 0):
        broken.put(number)
    with pytest.raises(ZeroDivisionError):
        broken.close()
    with pytest.raises(ZeroDivisionError):
        broken.put(1)
