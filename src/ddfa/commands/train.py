"""`ddfa train`: train a network on labelled photos."""

from typing import Annotated

import tyro

from ddfa.commands.messages import MESSAGES, MessageOptions
from ddfa.exit_codes import OK
from ddfa.train.config import TrainConfig

_Train = Annotated[TrainConfig, tyro.conf.arg(name="")]


def train(config: _Train, messages: MessageOptions = MESSAGES) -> int:
    """Train one or several networks on labelled photos and write each as a model bundle.

    `--config FILE.yaml` reads options from a file, for instance the `config.yaml` of an earlier run; options on the
    command line override it. In several processes: `torchrun --nproc-per-node N -m ddfa.cli train ...`.

    Args:
        config: the settings.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    from ddfa.train.convert.bundle import package
    from ddfa.train.loop import train_together

    for run in train_together(config):
        if run.rank == 0:
            bundle = package(run, run.config.output / "bundle")
            text = f"{bundle.name}: bundle in {bundle.folder}; measure it with `ddfa bench landmarks`"
            messages.result(text, name=bundle.name, folder=str(bundle.folder))
    return OK
