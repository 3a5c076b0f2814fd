"""`ddfa data read`: published training data as a data set of ours."""

from typing import Annotated

import tyro
from rich.console import Console

from ddfa.data.sets.dataset import LABEL_FILE
from ddfa.data.sets.original_3ddfa import ReadConfig, read_original
from ddfa.exit_codes import OK

_Read = Annotated[ReadConfig, tyro.conf.arg(name="")]


def read(config: _Read) -> int:
    """Read the published 3DDFA training set, 300W-LP or AFLW2000-3D as a data set for `ddfa train --head`.

    Args:
        config: what to read.

    Returns:
        Exit code 0.
    """
    labels = read_original(config)
    Console().print(f"{len(labels)} labels for head {labels.head} in {config.output / LABEL_FILE}")
    return OK
