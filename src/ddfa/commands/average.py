"""`ddfa average`: one network from the weights of several runs."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from ddfa.exit_codes import OK
from ddfa.train.averaging import average_runs


def average(
    runs: tyro.conf.Positional[tuple[Path, ...]],
    /,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    name: str = "",
    also: tuple[Path, ...] = (),
) -> int:
    """Average the weights of runs that started from the same weights: more accurate than each, and as fast as one.

    Args:
        runs: run folders of `ddfa train`.
        output: folder for checkpoint.pt and bundle.
        name: name of the bundle; that of the first run by default.
        also: other checkpoints to include in the average, for instance the one the runs started from.

    Returns:
        Exit code 0.
    """
    bundle = average_runs(runs, output, name, also)
    Console().print(f"{bundle.name}: mean of {len(runs) + len(also)} networks in {bundle.folder}", soft_wrap=True)
    return OK
