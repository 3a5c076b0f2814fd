"""Training runs of a few steps."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ddfa.train import state
from ddfa.train.config import TrainConfig


def short_run(data: Path, output: Path, **changes: Any) -> TrainConfig:
    """Settings of a run that takes seconds."""
    quick: dict[str, Any] = {
        "arch": "mobilenet_v1_025",
        "samples": 16,
        "batch_size": 4,
        "resolution": 32,
        "warmup": 1,
        "worst": 0.0,
        "held_out": 0.4,
        "workers": 0,
        "threads": 1,
        "tensorboard": False,
    }
    return TrainConfig(data=(data,), output=output, **(quick | changes))


@contextmanager
def quick_whitening() -> Iterator[None]:
    """Whitening from few samples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "WHITENING_SAMPLES", 200)
        yield
