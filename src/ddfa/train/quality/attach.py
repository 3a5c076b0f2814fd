"""Adding a quality head to the ONNX file of a regressor."""

from pathlib import Path
from typing import Any

import onnx
from onnx import helper, numpy_helper

from ddfa.regress.quality import QUALITY_OUTPUT, QUALITY_SIZE
from ddfa.train.quality.features import feature_map
from ddfa.train.quality.network import QualityHead

_PREFIX = f"{QUALITY_OUTPUT}_"


def attach_quality(source: Path, head: QualityHead, target: Path) -> None:
    """Write a regressor with a quality head, as its second output; an older quality head is replaced.

    Args:
        source: the regressor's ONNX file.
        head: trained on its features.
        target: the new file.

    Raises:
        ModelError: the network has no feature map that is pooled.
    """
    network = without_quality(onnx.load(source))
    graph = network.graph
    graph.initializer.extend(
        numpy_helper.from_array(value.numpy(), _PREFIX + name) for name, value in head.state_dict().items()
    )
    chain: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("Conv", "reduce.0", "reduced", {}),
        ("Relu", "", "rectified", {}),
        ("Flatten", "", "flat", {}),
        ("Gemm", "mix.0", "mixed", {"transB": 1}),
        ("Relu", "", "hidden", {}),
        ("Gemm", "out", "", {"transB": 1}),
    )
    previous = feature_map(network)
    for kind, layer, name, attributes in chain:
        output = _PREFIX + name if name else QUALITY_OUTPUT
        names = [f"{_PREFIX}{layer}.{one}" for one in ("weight", "bias")] if layer else []
        graph.node.append(helper.make_node(kind, [previous, *names], [output], **attributes))
        previous = output
    graph.output.append(helper.make_tensor_value_info(QUALITY_OUTPUT, onnx.TensorProto.FLOAT, ["batch", QUALITY_SIZE]))
    onnx.checker.check_model(network)
    onnx.save(network, target)


def without_quality(network: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a regressor without its quality head, if it has one that `attach_quality` added."""
    copy = onnx.ModelProto()
    copy.CopyFrom(network)
    graph = copy.graph
    added = [node for node in graph.node if node.output[0].startswith(_PREFIX) or node.output[0] == QUALITY_OUTPUT]
    for node in added:
        graph.node.remove(node)
    for items in (graph.initializer, graph.output):
        for item in [item for item in items if item.name.startswith(_PREFIX) or item.name == QUALITY_OUTPUT]:
            items.remove(item)
    return copy
