"""`ddfa data read`: convert the data sets of the original 3DDFA."""

from typing import Annotated

import tyro
from rich.console import Console

from ddfa.data.sets.dataset import LABEL_FILE
from ddfa.data.sets.original_3ddfa import ReadConfig, read_original
from ddfa.exit_codes import OK

_Read = Annotated[ReadConfig, tyro.conf.arg(name="")]


def read(config: _Read) -> int:
    """Convert the training set of the original 3DDFA, 300W-LP or AFLW2000-3D to a data set for `ddfa train --head`.

    Args:
        config: what to read.

    Returns:
        Exit code 0.
    """
    labels = read_original(config)
    Console().print(f"{len(labels)} labels for head {labels.head} in {config.output / LABEL_FILE}")
    return OK
