"""Networks opened for inference, on a CPU or an NVIDIA GPU, by ONNX Runtime."""

from typing import Final, Literal, TypeAlias

import onnxruntime as ort

from ddfa.errors import ModelError

Device: TypeAlias = Literal["cpu", "cuda"]

_CPU: Final = "CPUExecutionProvider"
_CUDA: Final = "CUDAExecutionProvider"


def session_options(threads: int | None) -> ort.SessionOptions:
    """Options of a session: silent, since errors reach the user as exceptions, and of some CPU threads.

    Args:
        threads: at least 1; None leaves the choice to ONNX Runtime.

    Raises:
        ModelError: there is no thread to run a network.
    """
    if threads is not None and threads < 1:
        raise ModelError(f"{threads} threads cannot run a network: give 1 or more, or leave the number out")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    return options


def open_session(network: str | bytes, options: ort.SessionOptions, device: Device = "cpu") -> ort.InferenceSession:
    """Open a network.

    Args:
        network: path or content of an ONNX file.
        options: of the session.
        device: what runs it; "cuda" wants the package onnxruntime-gpu instead of onnxruntime.

    Raises:
        ModelError: there is no such device, or ONNX Runtime cannot use it.
        Exception: what ONNX Runtime raises for a network it cannot load; its own types are not public.
    """
    if device == "cuda" and _CUDA not in ort.get_available_providers():
        raise ModelError("this ONNX Runtime has no CUDA: install onnxruntime-gpu in its place, or use the CPU")
    wanted = [_CUDA, _CPU] if device == "cuda" else [_CPU]
    session = ort.InferenceSession(network, options, providers=wanted)
    if wanted[0] not in session.get_providers():  # it falls back without an error
        raise ModelError("CUDA cannot be started: check driver and libraries with nvidia-smi, or use the CPU")
    return session
