"""Shards done by Ray Data, on this machine or a cluster: an actor pool, each actor with a stage of its own."""

import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final

from ddfa.batch.shards import Job, do_shard
from ddfa.batch.sources import Photo
from ddfa.batch.stage import AlignStage, StageSettings
from ddfa.errors import DDFAError, reason

_GPU_SHARE: Final = 0.25  # four actors use one GPU: decoding keeps each busy most of the time


class ShardActor:
    """Does shards; one of each worker of the pool.

    Args:
        settings: how photos are aligned.
    """

    def __init__(self, settings: StageSettings) -> None:
        self._stage = AlignStage(settings)

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        """Do one shard: its photos and the place of its file in, counts out."""
        photos = [Photo(*fields) for fields in json.loads(str(shard["photos"]))]
        faces, failed = do_shard(self._stage, photos, Path(str(shard["place"])))
        return {"photos": len(photos), "faces": faces, "failed": failed}


def run_ray(job: Job, shards: Sequence[int], workers: int) -> Iterator[tuple[int, int, int]]:
    """Do some shards; a running cluster is used where `RAY_ADDRESS` names one.

    Args:
        job: the photos and their output; on a cluster all machines must see both under the same paths.
        shards: numbers of those to do, at least one.
        workers: actors, each with one CPU, and a share of a GPU where the settings name one.

    Yields:
        Photos, faces and failed photos of each shard, as they are done.

    Raises:
        DDFAError: Ray gave up; the shards done by then are kept.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported
    import ray

    rows = [_shard(job, number) for number in shards]
    started = not ray.is_initialized()
    if started:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what failed is told once, below
        pool = ray.data.ActorPoolStrategy(size=max(1, min(workers, len(rows))))
        blocks = ray.data.from_items(rows, override_num_blocks=len(rows))
        actor: Any = ShardActor
        share = _GPU_SHARE if job.settings.device == "cuda" else 0
        done = blocks.map(actor, fn_constructor_args=(job.settings,), num_cpus=1, num_gpus=share, compute=pool)
        for row in done.iter_rows():
            yield int(row["photos"]), int(row["faces"]), int(row["failed"])
    except ray.exceptions.RayError as error:
        raise DDFAError(f"Ray gave up ({reason(error)}): give the same command again to go on") from None
    finally:
        if started:
            ray.shutdown()


def _shard(job: Job, number: int) -> dict[str, str]:
    photos = json.dumps([astuple(photo) for photo in job.photos_of(number)])
    return {"place": str(job.place(number).absolute()), "photos": photos}
