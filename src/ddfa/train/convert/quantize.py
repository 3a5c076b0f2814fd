"""Variants of an ONNX network: uint8 input, float16 or int8 arithmetic."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ddfa.arrays import Float32
from ddfa.train.convert.config import Precision

ChannelOrder = Literal["RGB", "BGR"]
_BATCH = 32
# The first convolutions stay float32, as does the head: they cost little time and cause most of the error.
_KEPT_CONVOLUTIONS = 5


def quantize(source: Path, target: Path, precision: Precision, calibration: Float32 | None = None) -> None:
    """Write a network in another precision; its input and output stay float32.

    Args:
        source: the float32 network.
        target: the new file.
        precision: float32 copies the network; int8 quantises weights per channel and activations per tensor.
        calibration: (n, 3, S, S) network inputs to measure the ranges of activations on, for int8.
    """
    if precision == "int8":
        assert calibration is not None
        _quantise(source, target, calibration)
        return
    network = onnx.load(source)
    if precision == "float16":
        from onnxruntime.transformers.float16 import convert_float_to_float16
        from onnxruntime.transformers.onnx_model import OnnxModel

        network = convert_float_to_float16(network, keep_io_types=True)
        OnnxModel(network).topological_sort()  # the conversion appends its casts at the end
    onnx.save(network, target)


def accept_uint8_crops(path: Path, size: int, channel_order: ChannelOrder) -> None:
    """Change the input of a network to crops (n, S, S, 3) uint8 RGB; normalisation and layout move into the graph.

    Args:
        path: the network, rewritten in place.
        size: side S of the crops in px.
        channel_order: of the previous input.
    """
    network = onnx.load(path)
    graph = network.graph
    before = graph.input[0].name
    constants = {"crop_middle": np.float32(127.5), "crop_scale": np.float32(128.0)}
    nodes = [helper.make_node("Cast", ["crops"], ["crops_float"], to=TensorProto.FLOAT)]
    last = "crops_float"
    if channel_order == "BGR":
        constants["crop_channels"] = np.array([2, 1, 0], np.int64)  # type: ignore[assignment]
        nodes.append(helper.make_node("Gather", [last, "crop_channels"], ["crops_bgr"], axis=3))
        last = "crops_bgr"
    nodes += [
        helper.make_node("Sub", [last, "crop_middle"], ["crops_centred"]),
        helper.make_node("Div", ["crops_centred", "crop_scale"], ["crops_normalised"]),
        helper.make_node("Transpose", ["crops_normalised"], [before], perm=[0, 3, 1, 2]),
    ]
    graph.initializer.extend(numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items())
    rest = list(graph.node)
    del graph.node[:], graph.input[:]
    graph.node.extend([*nodes, *rest])
    graph.input.append(helper.make_tensor_value_info("crops", TensorProto.UINT8, ["batch", size, size, 3]))
    onnx.checker.check_model(network)
    onnx.save(network, path)


def _quantise(source: Path, target: Path, calibration: Float32) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        graph = onnx.load(prepared).graph
        convolutions = [node.name for node in graph.node if node.op_type == "Conv"]
        quantize_static(
            str(prepared),
            str(target),
            _Batches(graph.input[0].name, calibration),
            op_types_to_quantize=["Conv", "Relu", "Add"],
            nodes_to_exclude=convolutions[:_KEPT_CONVOLUTIONS],
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=CalibrationMethod.MinMax,
        )


class _Batches:
    """Calibration inputs in the interface of ONNX Runtime."""

    def __init__(self, name: str, inputs: Float32) -> None:
        self._name = name
        self._parts = iter(inputs[start : start + _BATCH] for start in range(0, len(inputs), _BATCH))

    def get_next(self) -> dict[str, Any] | None:
        part = next(self._parts, None)
        return None if part is None else {self._name: part}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.get_next, None)
