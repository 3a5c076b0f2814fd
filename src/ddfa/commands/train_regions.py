"""`ddfa train-regions`: train a region network and add it to a bundle."""

from typing import Annotated

import tyro
from rich.console import Console

from ddfa.exit_codes import OK
from ddfa.train.regions.training import RegionConfig, make_region

_Train = Annotated[RegionConfig, tyro.conf.arg(name="")]


def train_regions(config: _Train) -> int:
    """Train the region network of the eyes or of the mouth, calibrate it, and add it to a copy of a bundle.

    Args:
        config: the settings.

    Returns:
        Exit code 0.
    """
    bundle = make_region(config)
    console = Console()
    console.print(f"{bundle.name}: bundle in {bundle.folder}; measure it with `ddfa bench units`", soft_wrap=True)
    return OK
