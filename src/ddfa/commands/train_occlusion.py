"""`ddfa train-covering`: the network that finds hands and things before faces."""

from typing import Annotated

import tyro
from rich.console import Console

from ddfa.exit_codes import OK
from ddfa.train.occlusion import NETWORK, CoveringConfig
from ddfa.train.occlusion import train_covering as run_training

_Train = Annotated[CoveringConfig, tyro.conf.arg(name="")]


def train_covering(config: _Train) -> int:
    """Train the network that finds hands and other things before faces, for `ddfa replace`.

    Args:
        config: the settings.

    Returns:
        Exit code 0.
    """
    quality = run_training(config)
    console = Console()
    console.print(f"overlap {quality:.3f} on faces kept aside: {config.output / NETWORK}", soft_wrap=True)
    return OK
