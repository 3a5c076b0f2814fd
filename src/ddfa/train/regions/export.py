"""Region networks from checkpoints, as compact ONNX files: weights are stored as float16."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from ddfa.errors import DataError
from ddfa.files import write_atomically
from ddfa.train.regions.config import Region
from ddfa.train.regions.network import RegionNetwork, new_network
from ddfa.train.state import averaged_tensors, load_checkpoint

_MIN_SIZE = 64  # values; smaller tensors stay float32


def small_weights(model: bytes) -> bytes:
    """Store the large float32 weights of a network as float16.

    Args:
        model: an ONNX file's content.

    Returns:
        The same network; ONNX Runtime folds the casts when it loads it.
    """
    graph = (loaded := onnx.load_model_from_string(model)).graph
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _MIN_SIZE:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return bytes(loaded.SerializeToString())


def load_network(region: Region, checkpoint: Path) -> RegionNetwork:
    """The network of a checkpoint, with the EMA of its weights, in evaluation mode.

    Raises:
        DataError: the checkpoint is missing or of another network.
    """
    network = new_network(region)
    tensors = averaged_tensors(load_checkpoint(checkpoint))
    tensors.pop("n_averaged", None)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise DataError(f"{checkpoint} is not a checkpoint of the {region} network: name another one") from error
    return network.eval()


def export_region(network: RegionNetwork, path: Path) -> Path:
    """Write a network as ONNX: inputs `patches` (n, 3, S, S) and `auxiliary` (n, F), output `regions`, any n.

    Args:
        network: the network.
        path: the file.

    Returns:
        The same path.
    """
    example = torch.zeros(2, 3, network.side, network.side), torch.zeros(2, network.auxiliary)
    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / path.name
        torch.onnx.export(
            network.deployed(),
            example,
            str(full),
            dynamo=False,
            input_names=["patches", "auxiliary"],
            output_names=["regions"],
            dynamic_axes={name: {0: "n"} for name in ("patches", "auxiliary", "regions")},
        )
        write_atomically(path, small_weights(full.read_bytes()))
    return path
