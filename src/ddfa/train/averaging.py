"""Weight averaging over several runs: more accurate than each run, at the inference cost of one.

Source: Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy
without increasing inference time" (ICML 2022). The runs must have started from the same weights.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddfa.errors import DataError, reading
from ddfa.files import make_folder
from ddfa.head.model import HeadModel
from ddfa.regress.bundle import Bundle
from ddfa.regress.layout import ParamLayout
from ddfa.regress.whitening import Whitening
from ddfa.text_files import read_yaml
from ddfa.train.config import TrainConfig
from ddfa.train.convert.bundle import write_network_bundle
from ddfa.train.networks import Network, create, pooling_of
from ddfa.train.state import (
    CHECKPOINT,
    LANDMARKS,
    averaged_tensors,
    load_checkpoint,
    rewhiten,
    whitening_of,
    write_checkpoint,
)

_CONFIG = "config.yaml"


def average_runs(runs: Sequence[Path], output: Path, name: str = "", checkpoints: Sequence[Path] = ()) -> Bundle:
    """Average the EMA weights of runs of one architecture that started from the same weights.

    Args:
        runs: run folders; the last checkpoint of each is used, whether the run is finished or not.
        output: receives `checkpoint.pt`, to start other runs from, and `bundle`.
        name: of the bundle; that of the first run by default.
        checkpoints: further ones to average, for instance the one that the runs started from.

    Returns:
        The bundle.

    Raises:
        DataError: a run lacks a file, or the runs are of different architectures, heads or resolutions.
        OutputError: the folder cannot be written.
    """
    if not runs:
        raise DataError("no run to average: name run folders of `ddfa train`")
    configs = [_config(run) for run in runs]
    kinds = {(config.arch, config.head, config.resolution) for config in configs}
    if len(kinds) > 1:
        raise DataError(
            "runs of different architectures, heads or resolutions cannot be averaged: name runs of one kind"
        )
    head = HeadModel.load(configs[0].head)
    layout = ParamLayout(len(head.identity_basis), len(head.expression_basis))
    states = [load_checkpoint(path) for path in (*(run / CHECKPOINT for run in runs), *checkpoints)]
    whitening = whitening_of(states[0])
    networks = [network_of(configs[0].arch, layout, saved) for saved in states]
    for network, saved in zip(networks, states, strict=True):
        rewhiten(network.fc, whitening_of(saved), whitening)
    mean = networks[0]
    mean.load_state_dict(averaged([network.state_dict() for network in networks]))
    make_folder(output)
    _save(output / CHECKPOINT, mean, whitening)
    data = tuple(dict.fromkeys(folder for config in configs for folder in config.data))
    config = replace(configs[0], data=data, name=name or configs[0].name)
    return write_network_bundle(mean, whitening, config, head, output / "bundle")


def averaged(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of tensors of the same names; integers (batch counters) are those of the first."""
    return {
        key: torch.stack([state[key].double() for state in states]).mean(dim=0).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor
        for key, tensor in states[0].items()
    }


def network_of(arch: str, layout: ParamLayout, saved: dict[str, Any]) -> Network:
    """Return the network of a checkpoint, with its averaged weights.

    Args:
        arch: name of the architecture.
        layout: of its parameters.
        saved: the checkpoint; its tensors tell the pooling.

    Raises:
        DataError: the tensors are those of another architecture.
    """
    state = averaged_tensors(saved)
    state.pop("n_averaged", None)
    network = create(arch, layout.size, LANDMARKS, pooling_of(state))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise DataError(f"a checkpoint does not fit {arch}: average runs of one architecture") from error
    return network


def _save(path: Path, network: Network, whitening: Whitening) -> None:
    saved = {
        "average": network.state_dict(),
        "whitening_mean": torch.from_numpy(whitening.mean),
        "whitening_std": torch.from_numpy(whitening.std),
    }
    write_checkpoint(saved, path)


def _config(run: Path) -> TrainConfig:
    """The settings of a run that averaging needs."""
    found = read_yaml(run / _CONFIG, DataError)
    with reading(run / _CONFIG, DataError, "no settings of `ddfa train`", "name a run folder"):
        head = found["head"]
        return TrainConfig(
            data=tuple(Path(folder) for folder in found["data"]),
            output=run,
            head=None if head is None else Path(head),
            arch=str(found["arch"]),
            resolution=int(found["resolution"]),
            name=str(found["name"]),
        )
