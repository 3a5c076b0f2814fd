"""`ddfa average`: one network from the weights of several runs."""

from pathlib import Path
from typing import Annotated

import tyro

from ddfa.commands.messages import MESSAGES, MessageOptions
from ddfa.exit_codes import OK
from ddfa.options import Folder
from ddfa.progress import Bar


def average(
    runs: tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="RUN ...")]],
    /,
    output: Folder,
    name: Annotated[str, tyro.conf.arg(metavar="NAME")] = "",
    also: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE ...")] = (),
    messages: MessageOptions = MESSAGES,
) -> int:
    """Average the weights of runs that started from the same weights: more accurate than each, and as fast as one.

    Args:
        runs: run folders of `ddfa train`.
        output: folder for checkpoint.pt and bundle.
        name: name of the bundle; that of the first run by default.
        also: other checkpoints to include in the average, for instance the one the runs started from.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    from ddfa.train.averaging import average_runs

    with Bar("averaging"):
        bundle = average_runs(runs, output, name, also)
    networks = len(runs) + len(also)
    text = f"{bundle.name}: mean of {networks} networks in {bundle.folder}"
    messages.result(text, name=bundle.name, networks=networks, folder=str(bundle.folder))
    return OK
