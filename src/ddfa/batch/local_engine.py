"""Shards done by processes of this machine."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from ddfa.batch.shards import Job, do_shard
from ddfa.batch.sources import Photo
from ddfa.batch.stage import AlignStage, StageSettings
from ddfa.errors import DDFAError

_stage: AlignStage | None = None


def run_local(job: Job, shards: Sequence[int], workers: int) -> Iterator[tuple[int, int, int]]:
    """Do some shards.

    Args:
        job: the photos and their output.
        shards: numbers of those to do.
        workers: processes.

    Yields:
        Photos, faces and failed photos of each shard, as they are done.

    Raises:
        DDFAError: a worker died; the shards done by then are kept.
        OutputError: a shard cannot be written.
    """
    # Spawned, not forked: the sessions of a network have threads, which a fork would lose.
    context = get_context("spawn")
    with ProcessPoolExecutor(max(1, workers), context, _begin, (job.settings,)) as pool:
        waiting = {
            pool.submit(_do, job.photos_of(shard), job.place(shard)): len(job.photos_of(shard)) for shard in shards
        }
        try:
            for done in as_completed(waiting):
                faces, failed = done.result()
                yield waiting[done], faces, failed
        except BrokenProcessPool:
            raise DDFAError(
                "a worker process died, for want of memory perhaps: give the same command again to go on, with fewer "
                "--workers"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)  # and wait: no worker outlives the run


def _begin(settings: StageSettings) -> None:
    global _stage  # noqa: PLW0603  # one of each process
    _stage = AlignStage(settings)


def _do(photos: list[Photo], place: Path) -> tuple[int, int]:
    assert _stage is not None
    return do_shard(_stage, photos, place)
