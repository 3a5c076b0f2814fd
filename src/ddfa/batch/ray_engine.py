"""Shards done by Ray Data, on this machine or a cluster: a pool of actors, each with its own stage."""

import json
import logging
import os
import signal
from collections.abc import Generator, Sequence
from dataclasses import astuple
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any, Final

from ddfa.batch.ray_guard import guarded
from ddfa.batch.shards import Job, do_shard
from ddfa.batch.sources import Photo
from ddfa.batch.stage import AlignStage, StageSettings
from ddfa.errors import DDFAError, reason

_GPU_SHARE: Final = 0.25  # four actors per GPU: each spends most of its time decoding on the CPU


class ShardActor:
    """Does shards; there is one in each worker of the pool.

    Args:
        settings: how photos are aligned.
    """

    def __init__(self, settings: StageSettings) -> None:
        self._stage = AlignStage(settings)

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        """Do one shard, given as its photos and the path of its file (JSON); returns counts."""
        path, photos = json.loads(str(shard["shard"]))
        faces, failed = do_shard(self._stage, [Photo(*fields) for fields in photos], Path(path))
        return {"photos": len(photos), "faces": faces, "failed": failed}


def run_ray(job: Job, shards: Sequence[int], workers: int) -> Generator[tuple[int, int, int]]:
    """Do some shards; a running cluster is used where `RAY_ADDRESS` names one.

    Args:
        job: the photos and their output; on a cluster all machines must see both under the same paths.
        shards: numbers of the shards to do, at least one.
        workers: actors, each with one CPU, and a share of a GPU where the settings name one.

    Yields:
        Numbers of photos, faces and failed photos of each shard, as they finish.

    Raises:
        DDFAError: Ray failed; the shards finished by then are kept.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    import ray

    rows = [_shard(job, number) for number in shards]
    if ray.is_initialized():
        yield from _results(job, rows, workers)
        return
    with guarded():
        _init_ray()
        try:
            yield from _results(job, rows, workers)
        finally:
            ray.shutdown()


def _results(job: Job, rows: list[dict[str, str]], workers: int) -> Generator[tuple[int, int, int]]:
    import ray

    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # the error is reported once, below
        pool = ray.data.ActorPoolStrategy(size=max(1, min(workers, len(rows))))
        blocks = ray.data.from_items(rows, override_num_blocks=len(rows))
        actor: Any = ShardActor
        share = _GPU_SHARE if job.settings.device == "cuda" else 0
        done = blocks.map(actor, fn_constructor_args=(job.settings,), num_cpus=1, num_gpus=share, compute=pool)
        for row in done.iter_rows():
            yield int(row["photos"]), int(row["faces"]), int(row["failed"])
    except ray.exceptions.RayError as error:
        raise DDFAError(f"Ray failed ({reason(error)}): give the same command again to resume") from None


def _init_ray() -> None:
    """Start Ray without its handler of SIGTERM, which ends the process without a word."""
    import ray

    before = signal.getsignal(signal.SIGTERM)
    stopped = False
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except SystemExit:  # by that handler
        stopped = True
    if current_thread() is main_thread():
        signal.signal(signal.SIGTERM, before)
    if stopped:
        signal.raise_signal(signal.SIGTERM)


def _shard(job: Job, number: int) -> dict[str, str]:
    # JSON, not columns: names of files may have bytes that are not UTF-8, which Arrow does not accept.
    photos = [astuple(photo) for photo in job.photos_of(number)]
    return {"shard": json.dumps([str(job.path(number).absolute()), photos])}
