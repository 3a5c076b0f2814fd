"""`ddfa head show`: a contact sheet of a head model."""

from pathlib import Path
from typing import Annotated

import tyro

from ddfa.draw.head_sheet import head_contact_sheet
from ddfa.exit_codes import OK
from ddfa.head.model import HeadModel
from ddfa.images import write_image


def show(
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = Path("head.png"),
    model: Annotated[Path | None, tyro.conf.arg(metavar="MODEL")] = None,
) -> int:
    """Draw a contact sheet of a head model.

    It shows the mean head from three sides and with its landmarks, the first identity components at -2 and +2 standard
    deviations, and every expression unit at 1.

    Args:
        output: the image to write.
        model: a head model file or folder; the shipped open head by default.

    Returns:
        The exit code.
    """
    head = HeadModel.load(model)
    write_image(output, head_contact_sheet(head))
    print(f"{head} -> {output}")
    return OK
