"""`ddfa train-roll`: train the roll network."""

from typing import Annotated

import tyro
from rich.console import Console

from ddfa.exit_codes import OK
from ddfa.train.roll import NETWORK, RollConfig
from ddfa.train.roll import train_roll as run_training

_Train = Annotated[RollConfig, tyro.conf.arg(name="")]


def train_roll(config: _Train) -> int:
    """Train the network that estimates the roll of a detected face, so that faces at any roll can be aligned.

    Args:
        config: the settings.

    Returns:
        Exit code 0.
    """
    error = run_training(config)
    console = Console()
    console.print(f"median error {error:.1f}° on held-out faces: {config.output / NETWORK}", soft_wrap=True)
    return OK
