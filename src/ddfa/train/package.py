"""A finished run becomes a model bundle."""

import tempfile
from pathlib import Path

from ddfa.regress.bundle import MODEL_FILE, Bundle, write_bundle
from ddfa.regress.convention import PixelConvention
from ddfa.train.export import export_onnx
from ddfa.train.loop import Run, average_network

_LICENCE = "MIT"


def package(run: Run, folder: Path, training_data: str = "") -> Bundle:
    """Write the averaged network of a run as a bundle.

    Args:
        run: finished, or far enough.
        folder: of the bundle; an older bundle there is replaced.
        training_data: for the card; by default the names of the data sets.

    Returns:
        The bundle.

    Raises:
        OutputError: the folder cannot be written.
    """
    config, head = run.config, run.head
    with tempfile.TemporaryDirectory() as temporary:
        model = Path(temporary) / MODEL_FILE
        export_onnx(average_network(run), model)
        files = {MODEL_FILE: model}
        if config.head is not None:
            files[f"head/{config.head.name}"] = config.head
        bundle = Bundle(
            name=config.name,
            architecture=f"mobilenet_v1_{config.width:g}",
            convention=PixelConvention.OPEN,
            layout=run.layout,
            whitening=run.whitening,
            licence=_LICENCE if config.head is None else head.licence,
            head="open" if config.head is None else f"head/{config.head.name}",
            training_data=training_data or ", ".join(folder.name for folder in config.data),
        )
        return write_bundle(bundle, folder, files)
