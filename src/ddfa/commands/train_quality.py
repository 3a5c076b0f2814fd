"""`ddfa train-quality`: train a quality head and add it to a bundle."""

from typing import Annotated

import tyro

from ddfa.commands.messages import MESSAGES, MessageOptions
from ddfa.exit_codes import OK
from ddfa.train.quality.config import QualityConfig

_Train = Annotated[QualityConfig, tyro.conf.arg(name="")]


def train_quality(config: _Train, messages: MessageOptions = MESSAGES) -> int:
    """Train the quality head of a bundle, which estimates errors and occlusion of landmarks.

    Args:
        config: the settings.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    from ddfa.train.quality.training import make_quality

    bundle, figures = make_quality(config)
    shown = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
    text = f"{bundle.name}: bundle in {bundle.folder}; on held-out photos: {shown}"
    messages.result(text, name=bundle.name, folder=str(bundle.folder), held_out=figures)
    return OK
