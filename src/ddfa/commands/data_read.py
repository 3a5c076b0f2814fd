"""`ddfa data read`: convert the data sets of the original 3DDFA."""

from typing import Annotated

import tyro

from ddfa.commands.messages import MESSAGES, MessageOptions
from ddfa.data.sets.dataset import LABEL_FILE
from ddfa.data.sets.original_3ddfa import ReadConfig, read_original
from ddfa.exit_codes import OK

_Read = Annotated[ReadConfig, tyro.conf.arg(name="")]


def read(config: _Read, messages: MessageOptions = MESSAGES) -> int:
    """Convert the training set of the original 3DDFA, 300W-LP or AFLW2000-3D to a data set for `ddfa train --head`.

    Args:
        config: what to read.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    labels = read_original(config)
    file = config.output / LABEL_FILE
    text = f"{len(labels)} labels for head {labels.head} in {file}"
    messages.result(text, labels=len(labels), head=labels.head, file=str(file))
    return OK
