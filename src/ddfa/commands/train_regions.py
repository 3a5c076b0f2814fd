"""`ddfa train-regions`: train a region network and add it to a bundle."""

from typing import Annotated

import tyro

from ddfa.commands.messages import MESSAGES, MessageOptions
from ddfa.exit_codes import OK
from ddfa.train.regions.config import RegionConfig

_Train = Annotated[RegionConfig, tyro.conf.arg(name="")]


def train_regions(config: _Train, messages: MessageOptions = MESSAGES) -> int:
    """Train the region network of the eyes or of the mouth, calibrate it, and add it to a copy of a bundle.

    Args:
        config: the settings.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    from ddfa.train.regions.training import make_region

    bundle = make_region(config)
    text = f"{bundle.name}: bundle in {bundle.folder}; measure it with `ddfa bench units`"
    messages.result(text, name=bundle.name, folder=str(bundle.folder))
    return OK
