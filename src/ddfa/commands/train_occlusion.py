"""`ddfa train-occlusion`: train the occlusion network."""

from typing import Annotated

import tyro
from rich.console import Console

from ddfa.exit_codes import OK
from ddfa.train.occlusion import NETWORK, OcclusionConfig
from ddfa.train.occlusion import train_occlusion as run_training

_Train = Annotated[OcclusionConfig, tyro.conf.arg(name="")]


def train_occlusion(config: _Train) -> int:
    """Train the occlusion network of `ddfa replace`, which segments hands and other occluders of a face.

    Args:
        config: the settings.

    Returns:
        Exit code 0.
    """
    iou = run_training(config)
    console = Console()
    console.print(f"IoU {iou:.3f} on held-out faces: {config.output / NETWORK}", soft_wrap=True)
    return OK
