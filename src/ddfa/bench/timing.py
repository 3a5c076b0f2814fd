"""Interleaved timing: what is compared runs in turn, so that other load on the machine slows all of it alike."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ddfa.arrays import Float64
from ddfa.bench.predict import Watch

Work = Callable[[], object]


@dataclass(frozen=True, eq=False)
class Timing:
    """Wall times of one function, round by round.

    Attributes:
        name: what was timed.
        items: number of faces or images that one call processes.
        seconds: (rounds,) wall time of one call.
    """

    name: str
    items: int
    seconds: Float64

    @property
    def milliseconds(self) -> float:
        """Median wall time per item."""
        return float(1e3 * np.median(self.seconds) / self.items)

    @property
    def per_second(self) -> float:
        """Items per second at the median."""
        return 1e3 / self.milliseconds

    def speedup_over(self, other: "Timing") -> float:
        """How many times faster than `other`: the median over rounds, in each of which the load is similar."""
        return float(np.median((other.seconds / other.items) / (self.seconds / self.items)))


def side_by_side(
    works: Mapping[str, tuple[int, Work]], rounds: int, least_s: float = 0.02, watch: Watch = iter
) -> list[Timing]:
    """Time several functions in turn.

    Args:
        works: name -> number of items that one call processes, and the call.
        rounds: how often each is timed.
        least_s: fast calls are repeated within a round for at least this many seconds.
        watch: shows progress.

    Returns:
        One timing each, in their order.
    """
    for _, work in works.values():
        work()  # warm-up: allocates memory, compiles kernels
    repeats = [_repeats(work, least_s) for _, work in works.values()]
    seconds = np.zeros((len(works), rounds))
    for k in watch(range(rounds)):
        for row, (_, work) in enumerate(works.values()):
            seconds[row, k] = _timed(work, repeats[row])
    return [Timing(name, items, row) for (name, (items, _)), row in zip(works.items(), seconds, strict=True)]


def _repeats(work: Work, least_s: float) -> int:
    return max(1, int(np.ceil(least_s / max(_timed(work, 1), 1e-7))))


def _timed(work: Work, repeats: int) -> float:
    began = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - began) / repeats
