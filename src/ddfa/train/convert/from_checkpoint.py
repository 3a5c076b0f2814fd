"""`ddfa models package`: a training checkpoint becomes a model bundle."""

from pathlib import Path

from ddfa.head.model import HeadModel
from ddfa.regress.bundle import Bundle
from ddfa.regress.layout import ParamLayout
from ddfa.train.averaging import network_of
from ddfa.train.config import TrainConfig
from ddfa.train.convert.bundle import write_network_bundle
from ddfa.train.state import load_checkpoint, whitening_of


def package_checkpoint(checkpoint: Path, arch: str, output: Path, name: str = "", training_data: str = "") -> Bundle:
    """Write the averaged network of a checkpoint as a bundle for the open head and crops of 120 px.

    Args:
        checkpoint: `checkpoint.pt` of `ddfa train`, or one that holds only the averaged weights and the whitening.
        arch: name of the architecture.
        output: folder of the bundle.
        name: of the bundle; that of the folder by default.
        training_data: for the card.

    Returns:
        The bundle.

    Raises:
        DataError: the checkpoint is missing, damaged or of another architecture.
        ModelError: there is no such architecture.
        OutputError: the folder cannot be written.
    """
    saved = load_checkpoint(checkpoint)
    head = HeadModel.load()
    layout = ParamLayout(len(head.identity_basis), len(head.expression_basis))
    network = network_of(arch, layout, saved)
    config = TrainConfig(data=(), output=output, arch=arch, name=name or output.name)
    return write_network_bundle(network, whitening_of(saved), config, head, output, training_data)
