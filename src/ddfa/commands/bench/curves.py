"""`ddfa bench curves`: training curves as an image."""

from pathlib import Path
from typing import Annotated

import tyro

from ddfa.bench.curves import RunCurves, draw_curves
from ddfa.commands.messages import MESSAGES, MessageOptions
from ddfa.errors import DataError
from ddfa.exit_codes import OK
from ddfa.files import check_existing
from ddfa.images import write_image
from ddfa.options import File, Overwrite


def curves(
    runs: tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="RUN ...")]],
    output: File = Path("curves.png"),
    overwrite: Overwrite = True,
    messages: MessageOptions = MESSAGES,
) -> int:
    """Plot training runs: validation errors and loss terms over the number of training samples.

    Args:
        runs: run folders of `ddfa train`, finished or not.
        output: the image.
        overwrite: whether a file is replaced.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    if not runs:
        raise DataError("name run folders of `ddfa train`")
    check_existing(overwrite, [output])
    write_image(output, draw_curves([RunCurves.load(run) for run in runs]))
    messages.result(f"wrote {output}", runs=[str(run) for run in runs], output=str(output))
    return OK
