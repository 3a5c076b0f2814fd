"""`ddfa train-quality`: train a quality head and add it to a bundle."""

from typing import Annotated

import tyro
from rich.console import Console

from ddfa.exit_codes import OK
from ddfa.train.quality.training import QualityConfig, make_quality

_Train = Annotated[QualityConfig, tyro.conf.arg(name="")]


def train_quality(config: _Train) -> int:
    """Train the quality head of a bundle, which estimates errors and occlusion of landmarks.

    Args:
        config: the settings.

    Returns:
        Exit code 0.
    """
    bundle, figures = make_quality(config)
    shown = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
    console = Console()
    console.print(f"{bundle.name}: bundle in {bundle.folder}; on held-out photos: {shown}", soft_wrap=True)
    return OK
