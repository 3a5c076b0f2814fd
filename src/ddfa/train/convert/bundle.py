"""Model bundles from training runs."""

import copy
import tempfile
from pathlib import Path

import numpy as np

from ddfa.head.model import HeadModel
from ddfa.head.readers import original_files
from ddfa.regress.bundle import MODEL_FILE, OPEN_HEAD, Bundle, write_bundle
from ddfa.regress.convention import PixelConvention
from ddfa.regress.layout import ParamLayout
from ddfa.regress.whitening import Whitening
from ddfa.train.config import TrainConfig
from ddfa.train.convert.onnx_export import export_onnx
from ddfa.train.networks import Network
from ddfa.train.state import Run

_LICENCE = "MIT"
_HEAD = "head"
_FRAME = 120  # side in px of the crop frame of the labels


def package(run: Run, folder: Path, training_data: str = "") -> Bundle:
    """Write the EMA network of a run as a bundle, at its training resolution.

    Args:
        run: finished or not.
        folder: of the bundle; an older bundle there is replaced.
        training_data: for the card; by default the names of the data sets.

    Returns:
        The bundle.

    Raises:
        OutputError: the folder cannot be written.
    """
    return write_network_bundle(run.average_network, run.whitening, run.config, run.head, folder, training_data)


def write_network_bundle(
    network: Network, whitening: Whitening, config: TrainConfig, head: HeadModel, folder: Path, training_data: str = ""
) -> Bundle:
    """Write a network as a bundle.

    Args:
        network: with its final weights; not changed.
        whitening: of its parameters, in the frame of 120 px.
        config: supplies name, architecture, head, resolution and data sets.
        head: the head model.
        folder: of the bundle; an older bundle there is replaced.
        training_data: for the card; by default the names of the data sets.

    Returns:
        The bundle.

    Raises:
        OutputError: the folder cannot be written.
    """
    with tempfile.TemporaryDirectory() as temporary:
        model = Path(temporary) / MODEL_FILE
        export_onnx(copy.deepcopy(network).cpu().deployed(), model, config.resolution)
        location, files = head_files(config.head)
        bundle = Bundle(
            name=config.name,
            architecture=f"{config.arch}.{head.name}",
            convention=PixelConvention.OPEN,
            layout=ParamLayout(len(head.identity_basis), len(head.expression_basis)),
            whitening=at_resolution(whitening, config.resolution),
            licence=_LICENCE if config.head is None else head.licence,
            input_size=config.resolution,
            head=location,
            training_data=training_data or ", ".join(folder.name for folder in config.data),
        )
        return write_bundle(bundle, folder, files | {MODEL_FILE: model})


def head_files(head: Path | None) -> tuple[str, dict[str, Path]]:
    """The head entry of a bundle's card, and the files it refers to: name inside the bundle -> file.

    Args:
        head: an original basis or an `.npz`; None for the open head.
    """
    if head is None:
        return OPEN_HEAD, {}
    files = {f"{_HEAD}/{name}": path for name, path in original_files(head).items()}
    return _HEAD if head.is_dir() else f"{_HEAD}/{head.name}", files


def at_resolution(whitening: Whitening, resolution: int) -> Whitening:
    """Convert a whitening from crops of 120 px to crops of another side.

    Pixel centres are integers, so that x' + 0.5 = f (x + 0.5); the same holds for y, which points up.
    """
    factor = resolution / _FRAME
    scale = np.r_[np.full(12, factor), np.ones(len(whitening.mean) - 12)].astype(np.float32)
    mean, std = whitening.mean * scale, whitening.std * scale
    mean[[3, 7]] += (factor - 1) / 2
    return Whitening(mean, std)
