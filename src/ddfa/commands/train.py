"""`ddfa train`: train a network on labelled photos."""

from typing import Annotated

import tyro
from rich.console import Console

from ddfa.exit_codes import OK
from ddfa.train.config import TrainConfig
from ddfa.train.convert.bundle import package
from ddfa.train.loop import train_together

_Train = Annotated[TrainConfig, tyro.conf.arg(name="")]


def train(config: _Train) -> int:
    """Train one or several networks on labelled photos and write each as a model bundle.

    `--config FILE.yaml` reads options from a file, for instance the `config.yaml` of an earlier run; options on the
    command line override it. In several processes: `torchrun --nproc-per-node N -m ddfa.cli train ...`.

    Args:
        config: the settings.

    Returns:
        Exit code 0.
    """
    for run in train_together(config):
        if run.rank == 0:
            bundle = package(run, run.config.output / "bundle")
            Console().print(f"{bundle.name}: bundle in {bundle.folder}; measure it with `ddfa bench landmarks`")
    return OK
