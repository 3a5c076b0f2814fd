"""`ddfa data label | profile | render | regions | show`: make and inspect training data."""

from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track

from ddfa.arrays import Float32
from ddfa.data.face_profiling.pipeline import ProfileConfig, make_face_profiles
from ddfa.data.pseudo_labels.config import LabelConfig
from ddfa.data.pseudo_labels.pipeline import label as label_photos
from ddfa.data.regions.labels import RegionLabelConfig, label_regions
from ddfa.data.sets.contact_sheet import ShowConfig, contact_sheet
from ddfa.data.sets.dataset import LABEL_FILE
from ddfa.data.synthetic.pipeline import RenderConfig, render_faces
from ddfa.exit_codes import OK
from ddfa.images import write_image

_Label = Annotated[LabelConfig, tyro.conf.arg(name="")]
_Profile = Annotated[ProfileConfig, tyro.conf.arg(name="")]
_Render = Annotated[RenderConfig, tyro.conf.arg(name="")]
_Regions = Annotated[RegionLabelConfig, tyro.conf.arg(name="")]
_Show = Annotated[ShowConfig, tyro.conf.arg(name="")]


def label(config: _Label) -> int:
    """Label photos with pseudo-labels for the open head, fitted to the predictions of a teacher network.

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
    """Augment a data set with large poses: labelled faces are rotated in 3D (face profiling).

    Args:
        config: which data set, how many images, how far they are rotated.

    Returns:
        Exit code 0.
    """
    labels = make_face_profiles(config)
    Console().print(f"{len(labels)} images in {config.output}")
    return OK


def render(config: _Render) -> int:
    """Render synthetic faces of the open head, with exact labels.

    Args:
        config: how many images, and the photos whose skin and shapes are used, if any.

    Returns:
        Exit code 0.
    """
    labels = render_faces(config)
    Console().print(f"{len(labels)} images in {config.output}")
    return OK


def regions(config: _Regions) -> int:
    """Label photos for the region networks: expression scores and mesh points of the mesh teacher.

    Args:
        config: what to label, and how.

    Returns:
        Exit code 0.
    """
    console = Console(stderr=True)
    labels = label_regions(config, lambda names: track(names, "labelling", console=console, transient=True))
    trusted, held_out = int(labels.trusted.sum()), int((labels.trusted & labels.held_out).sum())
    Console().print(f"{len(labels)} photos labelled in {config.output}: {trusted} usable, {held_out} of them held out")
    return OK


def show(config: _Show) -> int:
    """Draw a contact sheet of a data set: photos with the landmarks of their labels.

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
