"""`ddfa head show`: a contact sheet of a head model."""

from pathlib import Path
from typing import Annotated

import tyro

from ddfa.commands.messages import MESSAGES, MessageOptions
from ddfa.draw.head_sheet import head_contact_sheet
from ddfa.exit_codes import OK
from ddfa.files import check_existing
from ddfa.head.model import HeadModel
from ddfa.images import write_image
from ddfa.options import File, Overwrite
from ddfa.progress import Bar


def show(
    output: File = Path("head.png"),
    head: Annotated[Path | None, tyro.conf.arg(metavar="FILE|DIR")] = None,
    overwrite: Overwrite = True,
    messages: MessageOptions = MESSAGES,
) -> int:
    """Draw a contact sheet of a head model.

    It shows the mean head from three sides and with its landmarks, the first identity components at -2 and +2 standard
    deviations, and every expression unit at 1.

    Args:
        output: the image to write.
        head: a head model file or folder; the shipped open head by default.
        overwrite: whether a file is replaced.
        messages: what is printed.

    Returns:
        The exit code.
    """
    check_existing(overwrite, [output])
    with Bar("drawing"):
        model = HeadModel.load(head)
        write_image(output, head_contact_sheet(model))
    messages.result(f"{model} -> {output}", head=str(model), output=str(output))
    return OK
