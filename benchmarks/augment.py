"""Crops per second of data augmentation: one worker process beside batches on the training device.

    python benchmarks/augment.py [--data FOLDER] [--batch 1024] [--resolution 120] [--json FILE]

Rows are interleaved in one run. "Worker" is one process of `ddfa train --augment-on workers`, whose number a machine's
processors limit; the other rows are `--augment-on device`, on a GPU where there is one. On a CPU, times are CPU time
and everything runs in one thread, so that rows are comparable per core and other load hardly matters.
"""

import json
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ddfa.arrays import UInt8
from ddfa.data.sets.dataset import LABEL_FILE, PHOTO_LINK, CropStream, LabelledPhotos
from ddfa.data.sets.labels import Labels
from ddfa.files import write_atomically
from ddfa.geometry.pose import matrix_from_euler
from ddfa.head.model import HeadModel
from ddfa.train.augment.stream import DeviceCropStream

_SIDE, _COUNT = 160, 64  # of the synthetic photos
_WORKER_CROPS = 256  # per measurement


@dataclass
class Row:
    """One way to compute crops.

    Attributes:
        name: description.
        work: computes `crops` crops; its argument makes the random numbers.
        crops: number of crops per call.
        clock: seconds.
        speeds: crops per second, by round.
    """

    name: str
    work: Callable[[int], object]
    crops: int
    clock: Callable[[], float]
    speeds: list[float] = field(default_factory=list)

    def measure(self, seed: int) -> None:
        """Time one call."""
        began = self.clock()
        self.work(seed)
        self.speeds.append(self.crops / (self.clock() - began))

    @property
    def median(self) -> float:
        """Crops per second."""
        return float(np.median(self.speeds))


def synthetic_data(folder: Path) -> Path:
    """Write a data set of smooth random images with random heads: augmentation does not depend on their content."""
    rng = np.random.default_rng(0)
    (folder / "photos").mkdir()
    names = [f"{k}.png" for k in range(_COUNT)]
    poses = []
    for name in names:
        coarse = rng.integers(0, 256, (20, 20, 3), np.uint8)
        image: UInt8 = np.asarray(cv2.resize(coarse, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)
        cv2.imwrite(str(folder / "photos" / name), image)
        # 0.6 px/mm: the RoI is as large in the photo as in the data sets of `ddfa data label`.
        linear = 0.6 * np.diag([1, -1, 1]) @ matrix_from_euler(rng.uniform(-30, 30, 3))
        poses.append(np.column_stack([linear, [_SIDE / 2, _SIDE / 2, 0]]))
    identity, expression = rng.normal(0, 0.5, (_COUNT, 80)), rng.uniform(0, 0.3, (_COUNT, 52))
    labels = Labels(
        tuple(names),
        np.array(poses, np.float32),
        identity.astype(np.float32),
        expression.astype(np.float32),
        np.full(_COUNT, 0.01, np.float32),
        "open",
    )
    labels.save(folder / LABEL_FILE)
    (folder / PHOTO_LINK).write_text("photos\n", encoding="utf-8")
    return folder


def rows_of(stream: CropStream, batch: int, device: torch.device) -> list[Row]:
    """What is measured; the first row is the baseline."""
    on_gpu = device.type == "cuda"
    worker_clock = time.process_time

    def device_clock() -> float:
        if on_gpu:
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    batched = DeviceCropStream(stream, device, opencv=False)
    rows = [
        Row("one worker (OpenCV)", lambda seed: stream.batch(_WORKER_CROPS, [seed]), _WORKER_CROPS, worker_clock),
        Row(f"device, batched ({device.type})", lambda seed: batched.batch(batch, [seed]), batch, device_clock),
    ]
    if not on_gpu:
        one_by_one = DeviceCropStream(stream, device)
        work = Row(
            "device, as chosen for a CPU (OpenCV)", lambda seed: one_by_one.batch(batch, [seed]), batch, device_clock
        )
        rows.insert(1, work)
    return rows


def main(
    data: Path | None = None,
    batch: int = 0,
    resolution: int = 120,
    rounds: int = 9,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None,
) -> None:
    """Measure both ways to augment crops and print a table.

    Args:
        data: a labelled data set; random images by default.
        batch: crops per batch; by default 1024 on a GPU, 256 on a CPU.
        resolution: side of the crops in px.
        rounds: measurements per row.
        json_file: also receives the results as JSON.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    batch = batch or (1024 if device.type == "cuda" else 256)
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        head = HeadModel.load()
        photos = LabelledPhotos.open(data or synthetic_data(Path(folder)), head)
        stream = CropStream([photos], (1.0,), head, resolution=resolution)
        stream.preload()
        rows = rows_of(stream, batch, device)
        for row in rows:
            row.work(0)  # warm-up
        for seed in track(range(rounds), "measure", transient=True):
            for row in rows:
                row.measure(seed)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "CPU, one thread"
    table = Table("augmentation", "crops/s", "x one worker", title=f"{resolution} px, batch {batch}, {name}")
    for row in rows:
        table.add_row(row.name, f"{row.median:,.0f}", f"{row.median / rows[0].median:.2f}")
    Console().print(table)
    if json_file is not None:
        content = {"device": name, "torch": torch.__version__, "batch": batch, "resolution": resolution}
        speeds = {row.name: row.median for row in rows}
        write_atomically(json_file, json.dumps(content | {"crops_per_second": speeds}, indent=1).encode())


if __name__ == "__main__":
    tyro.cli(main)
