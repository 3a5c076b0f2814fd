"""`ddfa data label | profile | render | regions | show`: make and inspect training data."""

from typing import Annotated

import numpy as np
import tyro

from ddfa.commands.messages import MESSAGES, MessageOptions
from ddfa.data.face_profiling.pipeline import ProfileConfig, make_face_profiles
from ddfa.data.pseudo_labels.config import LabelConfig
from ddfa.data.pseudo_labels.pipeline import label as label_photos
from ddfa.data.regions.labels import RegionLabelConfig, label_regions
from ddfa.data.sets.contact_sheet import ShowConfig, contact_sheet
from ddfa.data.sets.dataset import LABEL_FILE
from ddfa.data.synthetic.pipeline import RenderConfig, render_faces
from ddfa.exit_codes import OK
from ddfa.files import check_existing
from ddfa.images import write_image
from ddfa.options import Overwrite
from ddfa.progress import Bar

_Label = Annotated[LabelConfig, tyro.conf.arg(name="")]
_Profile = Annotated[ProfileConfig, tyro.conf.arg(name="")]
_Render = Annotated[RenderConfig, tyro.conf.arg(name="")]
_Regions = Annotated[RegionLabelConfig, tyro.conf.arg(name="")]
_Show = Annotated[ShowConfig, tyro.conf.arg(name="")]


def label(config: _Label, messages: MessageOptions = MESSAGES) -> int:
    """Label photos with pseudo-labels for the open head, fitted to the predictions of a teacher network.

    Args:
        config: what to label, and how.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    labels = label_photos(config)
    error, file = 100 * float(np.median(labels.fit_error)), config.output / LABEL_FILE
    text = f"{len(labels)} labels in {file}; median error {error:.2f} % of the face's size"
    messages.result(text, labels=len(labels), median_error_percent=error, file=str(file))
    return OK


def profile(config: _Profile, messages: MessageOptions = MESSAGES) -> int:
    """Augment a data set with large poses: labelled faces are rotated in 3D (face profiling).

    Args:
        config: which data set, how many images, how far they are rotated.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    labels = make_face_profiles(config)
    messages.result(f"{len(labels)} images in {config.output}", images=len(labels), output=str(config.output))
    return OK


def render(config: _Render, messages: MessageOptions = MESSAGES) -> int:
    """Render synthetic faces of the open head, with exact labels.

    Args:
        config: how many images, and the photos whose skin and shapes are used, if any.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    labels = render_faces(config)
    messages.result(f"{len(labels)} images in {config.output}", images=len(labels), output=str(config.output))
    return OK


def regions(config: _Regions, messages: MessageOptions = MESSAGES) -> int:
    """Label photos for the region networks: expression scores and mesh points of the mesh teacher.

    Args:
        config: what to label, and how.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    labels = label_regions(config)
    trusted, held_out = int(labels.trusted.sum()), int((labels.trusted & labels.held_out).sum())
    text = f"{len(labels)} photos labelled in {config.output}: {trusted} usable, {held_out} of them held out"
    messages.result(text, photos=len(labels), usable=trusted, held_out=held_out, output=str(config.output))
    return OK


def show(config: _Show, overwrite: Overwrite = True, messages: MessageOptions = MESSAGES) -> int:
    """Draw a contact sheet of a data set: photos with the landmarks of their labels.

    Args:
        config: which faces.
        overwrite: whether a file is replaced.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    check_existing(overwrite, [config.output])
    with Bar("drawing"):
        write_image(config.output, contact_sheet(config))
    text = f"{config.by} faces of {config.data} -> {config.output}"
    messages.result(text, data=str(config.data), by=config.by, output=str(config.output))
    return OK
