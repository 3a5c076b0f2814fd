"""`ddfa bench curves`: training curves as an image."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from ddfa.bench.curves import RunCurves, draw_curves
from ddfa.errors import DataError
from ddfa.exit_codes import OK
from ddfa.images import write_image


def curves(runs: Annotated[tuple[Path, ...], tyro.conf.Positional], output: Path = Path("curves.png")) -> int:
    """Plot training runs: validation errors and loss terms over the number of training samples.

    Args:
        runs: run folders of `ddfa train`, finished or not.
        output: the image.

    Returns:
        Exit code 0.
    """
    if not runs:
        raise DataError("name run folders of `ddfa train`")
    write_image(output, draw_curves([RunCurves.load(run) for run in runs]))
    Console().print(f"wrote {output}")
    return OK
