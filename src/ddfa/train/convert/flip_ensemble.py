"""Test-time flip: a network averaged with its prediction for the mirrored crop, at twice the cost."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.transformers.onnx_model import OnnxModel

from ddfa.arrays import Float32
from ddfa.errors import ModelError
from ddfa.head.model import HeadModel
from ddfa.regress.bundle import Bundle
from ddfa.regress.convention import PixelConvention

_POSE_SIGNS = np.array([1, -1, -1, -1, -1, 1, 1, 1, -1, 1, 1, 1])  # of x' = -x on both sides of [P | t]
_T_X = 3


def average_with_flip(bundle: Bundle, target: Path, network_path: Path | None = None) -> None:
    """Write a network that averages the predictions of a bundle for a crop and for its mirror image.

    Args:
        bundle: its input is normalised images, and its head has mirror maps.
        target: the new `.onnx` file.
        network_path: another network with the same input and output; None for that of the bundle.

    Raises:
        ModelError: the head has no mirror maps, the bundle uses an original pixel convention, or its input is uint8.
    """
    source, gain, shift = flip_map(bundle)
    network = onnx.load(network_path or bundle.model_path)
    graph = network.graph
    (images,), (result, *extra) = graph.input, graph.output
    if images.type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
        raise ModelError(f"bundle '{bundle.name}' has uint8 input: use the bundle it was converted from")
    constants = {
        "mirror_start": np.array([-1], np.int64),
        "mirror_end": np.array([np.iinfo(np.int64).min], np.int64),
        "mirror_axis": np.array([3], np.int64),
        "mirror_source": source,
        "mirror_gain": gain,
        "mirror_shift": shift,
        "mirror_half": np.float32(0.5),
    }
    renamed = {result.name: "mirror_results"}
    before = [
        helper.make_node(
            "Slice", [images.name, "mirror_start", "mirror_end", "mirror_axis", "mirror_start"], ["mirror_image"]
        ),
        helper.make_node("Concat", [images.name, "mirror_image"], ["mirror_both"], axis=0),
    ]
    after = [
        helper.make_node("Split", ["mirror_results"], ["mirror_plain", "mirror_seen"], axis=0),
        helper.make_node("Gather", ["mirror_seen", "mirror_source"], ["mirror_sorted"], axis=1),
        helper.make_node("Mul", ["mirror_sorted", "mirror_gain"], ["mirror_scaled"]),
        helper.make_node("Add", ["mirror_scaled", "mirror_shift"], ["mirror_undone"]),
        helper.make_node("Add", ["mirror_plain", "mirror_undone"], ["mirror_sum"]),
        helper.make_node("Mul", ["mirror_sum", "mirror_half"], [result.name]),
    ]
    for output in extra:  # of a quality head: that of the crop itself
        after.append(
            helper.make_node("Split", [f"mirror_{output.name}"], [output.name, f"mirror_{output.name}_unused"], axis=0)
        )
        renamed[output.name] = f"mirror_{output.name}"
    for node in graph.node:
        node.input[:] = ["mirror_both" if name == images.name else name for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items())
    graph.node.extend([*before, *after])
    OnnxModel(network).topological_sort()
    onnx.checker.check_model(network)
    onnx.save(network, target)


def flip_map(bundle: Bundle) -> tuple[NDArray[np.int64], Float32, Float32]:
    """The affine map from whitened parameters of the mirrored crop to those of the crop.

    Parameter i of the crop is gain[i] * mirrored[source[i]] + shift[i].

    Args:
        bundle: its head has mirror maps.

    Returns:
        source (P,) int64, gain (P,) float32, shift (P,) float32.

    Raises:
        ModelError: the head has no mirror maps, or the bundle uses an original pixel convention.
    """
    head, layout, whitening = HeadModel.load(bundle.head_path), bundle.layout, bundle.whitening
    if head.identity_mirror is None or head.expression_mirror is None or bundle.convention is not PixelConvention.OPEN:
        raise ModelError(f"bundle '{bundle.name}' cannot be mirrored: only bundles of the open head can")
    identities = layout.identity
    signs = np.concatenate([_POSE_SIGNS, head.identity_mirror[:identities], np.ones(len(head.expression_mirror))])
    source = np.concatenate([np.arange(12 + identities), 12 + identities + head.expression_mirror]).astype(np.int64)
    offset = np.zeros(len(signs))
    offset[_T_X] = bundle.input_size - 1
    mean, std = whitening.mean.astype(np.float64), whitening.std.astype(np.float64)
    gain, shift = signs * std[source] / std, (signs * mean[source] + offset - mean) / std
    return source, gain.astype(np.float32), shift.astype(np.float32)
