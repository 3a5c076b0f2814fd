"""`ddfa train-proposals`: train the proposal network of the detector."""

from typing import Annotated

import tyro

from ddfa.commands.messages import MESSAGES, MessageOptions
from ddfa.exit_codes import OK
from ddfa.train.small_configs import ProposalConfig

_Train = Annotated[ProposalConfig, tyro.conf.arg(name="")]


def train_proposals(config: _Train, messages: MessageOptions = MESSAGES) -> int:
    """Train the network that tells the detector where in an image small faces may be.

    Args:
        config: the settings.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    from ddfa.train.proposals import NETWORK
    from ddfa.train.proposals import train_proposals as run_training

    proposed, network = run_training(config), config.output / NETWORK
    messages.result(f"{proposed:.1%} of the background proposed: {network}", proposed=proposed, network=str(network))
    return OK
