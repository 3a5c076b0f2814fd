"""`ddfa train-occlusion`: train the occlusion network."""

from typing import Annotated

import tyro

from ddfa.commands.messages import MESSAGES, MessageOptions
from ddfa.exit_codes import OK
from ddfa.train.small_configs import OcclusionConfig

_Train = Annotated[OcclusionConfig, tyro.conf.arg(name="")]


def train_occlusion(config: _Train, messages: MessageOptions = MESSAGES) -> int:
    """Train the occlusion network of `ddfa replace`, which segments hands and other occluders of a face.

    Args:
        config: the settings.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    from ddfa.train.occlusion import NETWORK
    from ddfa.train.occlusion import train_occlusion as run_training

    iou, network = run_training(config), config.output / NETWORK
    messages.result(f"IoU {iou:.3f} on held-out faces: {network}", iou=iou, network=str(network))
    return OK
