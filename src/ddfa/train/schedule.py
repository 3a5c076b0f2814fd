"""The learning rate as a function of the step."""

import math

from ddfa.train.config import TrainConfig

_FALL = 0.2  # what each milestone of the published schedule multiplies the rate with


def lr_at(step: int, config: TrainConfig) -> float:
    """The learning rate of a step, by the settings' schedule."""
    return _cosine(step, config) if config.schedule == "cosine" else _steps(step, config)


def _cosine(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then cosine down to a fiftieth of the peak."""
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    progress = min(1.0, (step - config.warmup) / max(1, config.steps - config.warmup))
    return config.lr * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


def _steps(step: int, config: TrainConfig) -> float:
    """A fifth of the rate in the slow first epochs and after each milestone, as the published training does it."""
    epoch = 1 + step * config.epochs // config.steps
    if epoch <= config.slow_epochs:
        return config.lr * _FALL
    return float(config.lr * _FALL ** sum(epoch > milestone for milestone in config.milestones))
