"""ONNX files of half the size: weights stored as float16, cast to float32 when the network is opened."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_SMALLEST = 64  # values; smaller tensors stay as they are


def small_weights(model: bytes) -> bytes:
    """Store the large float32 weights of a network as float16.

    Args:
        model: an ONNX file's content.

    Returns:
        The same network; runtimes fold the casts when they open it.
    """
    graph = (loaded := onnx.load_model_from_string(model)).graph
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _SMALLEST:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return bytes(loaded.SerializeToString())
