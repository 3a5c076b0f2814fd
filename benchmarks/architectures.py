"""Cost of every architecture: MACs, parameters, latency of its ONNX network, speed of a training step.

    python benchmarks/architectures.py [NAME ...] [--repeats N]

Each time is CPU time of one thread, the best of several repeats, to reduce the influence of other load.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import onnxruntime as ort
import torch
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ddfa.train.convert.onnx_export import export_onnx
from ddfa.train.macs import count_macs
from ddfa.train.networks import ARCHITECTURES, Network, create, normalise

PARAMS, POINTS = 144, 68  # of the open head
SIZE, BATCH = 120, 64


def latency_ms(network: Network, batch: int, repeats: int) -> float:
    """Milliseconds per face with ONNX Runtime on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_onnx(network, path, SIZE)
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).standard_normal((batch, 3, SIZE, SIZE), np.float32)
    return 1e3 * best_seconds(lambda: session.run(None, {"input": images}), repeats) / batch


def training_speed(network: Network, repeats: int) -> float:
    """Crops per second of forward, backward and optimiser step on one thread."""
    network.train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    crops = torch.randint(0, 256, (BATCH, SIZE, SIZE, 3), dtype=torch.uint8)

    def step() -> None:
        params, points = network.both_heads(normalise(crops))
        optimizer.zero_grad()
        (params.square().mean() + points.square().mean()).backward()
        optimizer.step()

    return BATCH / best_seconds(step, repeats)


def best_seconds(work: Callable[[], object], repeats: int) -> float:
    """Least CPU time of several runs, after one warm-up."""
    work()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def main(names: Annotated[tuple[str, ...], tyro.conf.Positional] = (), repeats: int = 5) -> None:
    """Measure architectures and print a table.

    Args:
        names: the architectures; all by default.
        repeats: repeats of each measurement.
    """
    torch.set_num_threads(1)
    columns = ("architecture", "MACs M", "params M", "ms/face", f"ms/face of {BATCH}", "train/s")
    table = Table(*columns, title=f"{SIZE}x{SIZE} crops, one thread")
    for name in track(names or tuple(ARCHITECTURES), "measure", transient=True):
        network = create(name, PARAMS)
        deployed = network.deployed()
        table.add_row(
            name,
            f"{count_macs(deployed) / 1e6:.1f}",
            f"{sum(p.numel() for p in deployed.parameters()) / 1e6:.2f}",
            f"{latency_ms(deployed, 1, 20 * repeats):.2f}",
            f"{latency_ms(deployed, BATCH, repeats):.2f}",
            f"{training_speed(create(name, PARAMS, POINTS), repeats):.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    tyro.cli(main)
