"""Runtimes that run a bundle's network on a CPU."""

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.regress.bundle import Bundle
from ddfa.regress.session import Regressor, network_inputs

Runtime: TypeAlias = Literal["onnxruntime", "openvino"]


def runner(bundle: Bundle, runtime: Runtime, threads: int) -> Callable[[UInt8], Float32]:
    """Load a network.

    Args:
        bundle: the model.
        runtime: the library that runs it; OpenVINO is in the extra `train`.
        threads: CPU threads.

    Returns:
        A function that maps crops (n, S, S, 3) uint8 RGB to parameters (n, P) float32, de-whitened.

    Raises:
        ModelError: ONNX Runtime cannot load it.
    """
    if runtime == "onnxruntime":
        return Regressor(bundle, threads).params_from_crops
    from openvino import Core

    network = Core().compile_model(
        str(bundle.model_path), "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    )
    takes_crops = "u8" in str(network.inputs[0].element_type)

    def run(crops: UInt8) -> Float32:
        batch = crops if takes_crops else network_inputs(crops, bundle.channel_order)
        return bundle.whitening.dewhiten(np.asarray(network(batch)[0], np.float32))

    return run
