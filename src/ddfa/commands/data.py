"""`ddfa data label | profile | render | show`: training data."""

from typing import Annotated

import numpy as np
import tyro
from rich.console import Console

from ddfa.arrays import Float32
from ddfa.data.face_profiling.pipeline import ProfileConfig, make_face_profiles
from ddfa.data.pseudo_labels.config import LabelConfig
from ddfa.data.pseudo_labels.pipeline import label as label_photos
from ddfa.data.sets.contact_sheet import ShowConfig, contact_sheet
from ddfa.data.sets.dataset import LABEL_FILE
from ddfa.data.synthetic.pipeline import RenderConfig, render_faces
from ddfa.exit_codes import OK
from ddfa.images import write_image

_Label = Annotated[LabelConfig, tyro.conf.arg(name="")]
_Profile = Annotated[ProfileConfig, tyro.conf.arg(name="")]
_Render = Annotated[RenderConfig, tyro.conf.arg(name="")]
_Show = Annotated[ShowConfig, tyro.conf.arg(name="")]


def label(config: _Label) -> int:
    """Label photos for the open head with what a teacher network sees.

    Args:
        config: what to label, and how.

    Returns:
        Exit code 0.
    """
    labels = label_photos(config)
    console = Console()
    console.print(f"{len(labels)} labels in {config.output / LABEL_FILE}; median error {_percent(labels.fit_error)}")
    return OK


def profile(config: _Profile) -> int:
    """Turn labelled faces out of plane and photograph them again.

    Args:
        config: which data set, how many pictures, how far.

    Returns:
        Exit code 0.
    """
    labels = make_face_profiles(config)
    Console().print(f"{len(labels)} pictures in {config.output}")
    return OK


def render(config: _Render) -> int:
    """Draw synthetic faces from the open head, with exact labels.

    Args:
        config: how many pictures, and the photos that lend skins and shapes, if any.

    Returns:
        Exit code 0.
    """
    labels = render_faces(config)
    Console().print(f"{len(labels)} pictures in {config.output}")
    return OK


def show(config: _Show) -> int:
    """Draw a contact sheet of a data set: photos with their labels' landmarks.

    Args:
        config: which faces.

    Returns:
        Exit code 0.
    """
    write_image(config.output, contact_sheet(config))
    Console().print(f"{config.by} faces of {config.data} -> {config.output}")
    return OK


def _percent(error: Float32) -> str:
    return f"{100 * float(np.median(error)):.2f} % of the face's size"
