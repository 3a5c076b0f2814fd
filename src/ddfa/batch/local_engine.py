"""Shards done by processes on this machine."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeAlias

from ddfa.batch.shards import Job, do_shard
from ddfa.batch.sources import Photo
from ddfa.batch.stage import AlignStage, StageSettings
from ddfa.jobs import run

_Shard: TypeAlias = tuple[list[Photo], Path]  # its photos and its file


def run_local(job: Job, shards: Sequence[int], workers: int) -> Generator[tuple[int, int, int]]:
    """Do some shards.

    Args:
        job: the photos and their output.
        shards: numbers of the shards to do.
        workers: processes.

    Yields:
        Numbers of photos, faces and failed photos of each shard, as they finish.

    Raises:
        DDFAError: a worker process died; the shards finished by then are kept.
        OutputError: a shard cannot be written.
    """
    tasks: list[_Shard] = [(job.photos_of(shard), job.path(shard)) for shard in shards]
    # Spawned, not forked: inference sessions own threads, which a fork does not copy.
    with closing(run(partial(_open_stage, job.settings), tasks, max(1, workers), "spawn")) as results:
        for index, (faces, failed) in results:
            yield len(tasks[index][0]), faces, failed


def _open_stage(settings: StageSettings) -> Callable[[_Shard], tuple[int, int]]:
    stage = AlignStage(settings)
    return lambda shard: do_shard(stage, *shard)
