"""Model ensemble: several networks in one graph, whose predictions are averaged.

The gain is largest for networks of different architectures, whose errors are less correlated.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper
from onnxruntime.transformers.onnx_model import OnnxModel

from ddfa.errors import ModelError
from ddfa.regress.bundle import Bundle


def average_models(bundles: Sequence[Bundle], target: Path) -> None:
    """Write a network that averages the parameters predicted by several bundles, with the whitening of the first.

    Args:
        bundles: two or more with the same crops, head and parameters.
        target: the new `.onnx` file.

    Raises:
        ModelError: the bundles do not fit together, or one has uint8 input.
    """
    first = bundles[0]
    for other in bundles[1:]:
        _check(first, other)
    parts = [_part(bundle, f"network{number}_") for number, bundle in enumerate(bundles)]
    images, result = _copied(parts[0].graph.input[0], "input"), _copied(parts[0].graph.output[0], "output")
    constants, nodes, averaged = dict[str, np.ndarray](), [], []
    for part, bundle in zip(parts, bundles, strict=True):
        name = part.graph.output[0].name
        for node in part.graph.node:
            node.input[:] = [images.name if tensor == part.graph.input[0].name else tensor for tensor in node.input]
        constants[f"{name}_gain"] = bundle.whitening.std / first.whitening.std
        constants[f"{name}_shift"] = (bundle.whitening.mean - first.whitening.mean) / first.whitening.std
        nodes += [
            *part.graph.node,
            helper.make_node("Mul", [name, f"{name}_gain"], [f"{name}_scaled"]),
            helper.make_node("Add", [f"{name}_scaled", f"{name}_shift"], [f"{name}_whitened"]),
        ]
        averaged.append(f"{name}_whitened")
    nodes.append(helper.make_node("Mean", averaged, [result.name]))
    extra = []
    for output in list(parts[0].graph.output)[1:]:  # a quality head: that of the first network
        extra.append(_copied(output, output.name.removeprefix("network0_")))
        nodes.append(helper.make_node("Identity", [output.name], [extra[-1].name]))
    initializers = [tensor for part in parts for tensor in part.graph.initializer]
    initializers += [numpy_helper.from_array(array.astype(np.float32), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "ensemble", [images], [result, *extra], initializers)
    network = helper.make_model(graph, opset_imports=parts[0].opset_import, ir_version=parts[0].ir_version)
    OnnxModel(network).topological_sort()
    onnx.checker.check_model(network)
    onnx.save(network, target)


def _part(bundle: Bundle, prefix: str) -> onnx.ModelProto:
    """The network of a bundle, with unique names."""
    network = onnx.load(bundle.model_path)
    if network.graph.input[0].type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
        raise ModelError(f"bundle '{bundle.name}' has uint8 input: use the bundle it was converted from")
    return compose.add_prefix(network, prefix)


def _copied(value: onnx.ValueInfoProto, name: str) -> onnx.ValueInfoProto:
    """The input or output of a graph under another name."""
    copy = onnx.ValueInfoProto()
    copy.CopyFrom(value)
    copy.name = name
    return copy


def _check(first: Bundle, other: Bundle) -> None:
    fields = ("head", "layout", "convention", "channel_order", "input_size")
    differing = [name for name in fields if getattr(first, name) != getattr(other, name)]
    if differing:
        raise ModelError(
            f"bundles '{first.name}' and '{other.name}' cannot be averaged, they differ in {', '.join(differing)}: "
            "name bundles with the same head and crops"
        )
