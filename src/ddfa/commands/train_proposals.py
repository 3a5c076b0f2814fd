"""`ddfa train-proposals`: train the proposal network of the detector."""

from typing import Annotated

import tyro
from rich.console import Console

from ddfa.exit_codes import OK
from ddfa.train.proposals import NETWORK, ProposalConfig
from ddfa.train.proposals import train_proposals as run_training

_Train = Annotated[ProposalConfig, tyro.conf.arg(name="")]


def train_proposals(config: _Train) -> int:
    """Train the network that tells the detector where in an image small faces may be.

    Args:
        config: the settings.

    Returns:
        Exit code 0.
    """
    proposed = run_training(config)
    console = Console()
    console.print(f"{proposed:.1%} of the background proposed: {config.output / NETWORK}", soft_wrap=True)
    return OK
