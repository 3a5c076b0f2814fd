"""ONNX Runtime sessions for inference on a CPU or an NVIDIA GPU."""

from typing import Final, Literal, TypeAlias

import onnxruntime as ort

from ddfa.errors import ModelError

Device: TypeAlias = Literal["cpu", "cuda"]

_CPU: Final = "CPUExecutionProvider"
_CUDA: Final = "CUDAExecutionProvider"


def session_options(threads: int | None) -> ort.SessionOptions:
    """Session options: no log output, since errors reach the user as exceptions, and a number of CPU threads.

    Args:
        threads: at least 1; None for the default of ONNX Runtime.

    Raises:
        ModelError: the number of threads is less than 1.
    """
    if threads is not None and threads < 1:
        raise ModelError(f"{threads} threads cannot run a network: use 1 or more, or omit the number")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    return options


def open_session(network: str | bytes, options: ort.SessionOptions, device: Device = "cpu") -> ort.InferenceSession:
    """Open a network.

    Args:
        network: path or content of an ONNX file.
        options: session options.
        device: "cpu" or "cuda"; the latter needs the package onnxruntime-gpu instead of onnxruntime.

    Raises:
        ModelError: the device is missing, or ONNX Runtime cannot use it.
        Exception: whatever ONNX Runtime raises for a network it cannot load; its exception types are not public.
    """
    if device == "cuda" and _CUDA not in ort.get_available_providers():
        raise ModelError("this ONNX Runtime has no CUDA support: install onnxruntime-gpu instead, or use the CPU")
    wanted = [_CUDA, _CPU] if device == "cuda" else [_CPU]
    session = ort.InferenceSession(network, options, providers=wanted)
    if wanted[0] not in session.get_providers():  # ONNX Runtime falls back to the CPU without an error
        raise ModelError("CUDA failed to start: check driver and libraries with nvidia-smi, or use the CPU")
    return session
