"""`ddfa train-roll`: train the roll network."""

from typing import Annotated

import tyro

from ddfa.commands.messages import MESSAGES, MessageOptions
from ddfa.exit_codes import OK
from ddfa.train.small_configs import RollConfig

_Train = Annotated[RollConfig, tyro.conf.arg(name="")]


def train_roll(config: _Train, messages: MessageOptions = MESSAGES) -> int:
    """Train the network that estimates the roll of a detected face, so that faces at any roll can be aligned.

    Args:
        config: the settings.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    from ddfa.train.roll import NETWORK
    from ddfa.train.roll import train_roll as run_training

    error, network = run_training(config), config.output / NETWORK
    text = f"median error {error:.1f}° on held-out faces: {network}"
    messages.result(text, error_deg=error, network=str(network))
    return OK
