"""`ddfa average`: one network from several runs."""

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
    """Average the weights of runs that started from the same weights: more accurate than each, at the cost of one.

    Args:
        runs: run folders of `ddfa train`.
        output: receives checkpoint.pt and bundle.
        name: of the bundle; that of the first run by default.
        also: further checkpoints to average with them, for instance the one they started from.

    Returns:
        Exit code 0.
    """
    bundle = average_runs(runs, output, name, also)
    Console().print(f"{bundle.name}: mean of {len(runs) + len(also)} networks in {bundle.folder}", soft_wrap=True)
    return OK
