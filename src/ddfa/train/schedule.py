"""The learning rate as a function of the step."""

import math
from typing import Final

from ddfa.train.config import TrainConfig

_FLOOR: Final = 0.02
_FALL: Final = 0.2  # factor of each milestone in the training code of 3DDFA


def lr_at(step: int, config: TrainConfig) -> float:
    """The learning rate of a step, by the schedule in the settings."""
    if config.schedule == "cosine":
        return cosine(step, config.steps, config.lr, config.warmup, _FLOOR, start=config.warmup)
    return _milestones(step, config)


def cosine(step: int, steps: int, lr: float, warmup: int, floor: float, start: int = 0) -> float:
    """Linear warm-up, and half a cosine from the peak down to a share of it.

    Args:
        step: from 0.
        steps: of the run; the cosine ends there.
        lr: the peak.
        warmup: steps of the warm-up, which multiplies the cosine.
        floor: learning rate at the end, as a share of the peak.
        start: step at which the cosine leaves the peak; `warmup` for one after the other, 0 for both at once.
    """
    peak = lr * (step + 1) / warmup if step < warmup else lr
    progress = min(1.0, max(0, step - start) / max(1, steps - start))
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))


def _milestones(step: int, config: TrainConfig) -> float:
    """A fifth of the learning rate in the slow first epochs and after each milestone, as in the code of 3DDFA."""
    epoch = 1 + step * config.epochs // config.steps
    if epoch <= config.slow_epochs:
        return config.lr * _FALL
    return float(config.lr * _FALL ** sum(epoch > milestone for milestone in config.milestones))
