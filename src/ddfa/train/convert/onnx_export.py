"""Export of trained networks as ONNX."""

import warnings
from pathlib import Path

import torch
from torch import nn


def export_onnx(
    network: nn.Module, path: Path, input_size: int = 120, channels: int = 3, any_size: bool = False
) -> None:
    """Write `network` as ONNX with a dynamic batch.

    Args:
        network: maps normalised images (n, channels, input_size, input_size) float32 to (n, ...); switched to
            evaluation mode.
        path: the `.onnx` file; the input is named `input`, the output `output`.
        input_size: side of the square images in px.
        channels: of the images.
        any_size: the network is fully convolutional: height and width are dynamic as well.
    """
    network = network.eval()
    dynamic = {0: "batch", 2: "height", 3: "width"} if any_size else {0: "batch"}
    example = torch.zeros(1, channels, input_size, input_size)
    with warnings.catch_warnings():
        # The size of the crop is fixed in the graph on purpose.
        warnings.filterwarnings("ignore", "Converting a tensor to a Python boolean")
        torch.onnx.export(
            network,
            (example,),
            str(path),
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": dynamic, "output": dynamic},
            opset_version=17,
            dynamo=False,  # the TorchScript exporter needs no package besides onnx
        )
