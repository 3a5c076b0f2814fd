from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from ddfa.train.config import TrainConfig
from ddfa.train.schedule import cosine, lr_at

PLACES = (Path("x"),), Path("y")


def test_cosine_warms_up_and_decays():
    config = TrainConfig(*PLACES, samples=128_000, batch_size=128, warmup=100, lr=1.0)
    rates = [lr_at(step, config) for step in range(config.steps)]
    assert max(rates) == pytest.approx(1.0) and rates[0] == pytest.approx(0.01)
    assert rates[-1] == pytest.approx(0.02, abs=1e-3) and np.argmax(rates) in (99, 100)


def test_steps_are_those_of_the_published_wpdc_training():
    config = TrainConfig(*PLACES, samples=100, batch_size=1, schedule="steps", lr=0.02)  # two steps an epoch
    rates = [lr_at(step, config) for step in range(100)]
    published = [0.004] * 5 + [0.02] * 25 + [0.004] * 10 + [0.0008] * 10
    np.testing.assert_allclose(rates, np.repeat(published, 2))


def test_a_cosine_may_run_during_the_warm_up():
    rates = [cosine(step, 1000, 2.0, warmup=200, floor=0.01) for step in range(1001)]
    wanted = [2 * min(1, (k + 1) / 200) * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * k / 1000))) for k in range(1001)]
    np.testing.assert_allclose(rates, wanted, rtol=1e-12)
