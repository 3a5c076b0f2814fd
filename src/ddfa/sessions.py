"""ONNX Runtime sessions for inference on a CPU or an NVIDIA GPU."""

import ctypes
import os
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

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


class Session:
    """An ONNX Runtime session that also works in forked processes, where the threads of the original do not exist.

    Args:
        network: path or content of an ONNX file.
        options: session options.
        device: "cpu" or "cuda".

    Raises:
        ModelError: as `open_session`.
        Exception: as `open_session`.
    """

    def __init__(self, network: str | bytes, options: ort.SessionOptions, device: Device = "cpu") -> None:
        self._network, self._options, self._device = network, options, device
        self._session = _new_session(network, options, device)
        _SESSIONS.add(self)

    def run(self, outputs: Sequence[str] | None, inputs: Mapping[str, Any]) -> list[Any]:
        """Run the network: the outputs of these names, or all, for inputs by name."""
        return list(self._opened().run(outputs, inputs))

    def get_inputs(self) -> list[Any]:
        """Names, shapes and types of the inputs."""
        return list(self._opened().get_inputs())

    def get_outputs(self) -> list[Any]:
        """Names, shapes and types of the outputs."""
        return list(self._opened().get_outputs())

    def _opened(self) -> ort.InferenceSession:
        if self._session is None:
            self._session = _new_session(self._network, self._options, self._device)
        return self._session

    def abandon(self) -> None:
        """Forget the session of the parent process, without closing it: that would wait for threads of the parent."""
        if self._session is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._session))
            self._session = None


_SESSIONS: Final = weakref.WeakSet[Session]()


def _after_fork() -> None:
    for session in list(_SESSIONS):
        session.abandon()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


def open_session(network: str | bytes, options: ort.SessionOptions, device: Device = "cpu") -> Session:
    """Open a network.

    Args:
        network: path or content of an ONNX file.
        options: session options.
        device: "cpu" or "cuda"; the latter needs the package onnxruntime-gpu instead of onnxruntime.

    Raises:
        ModelError: the device is missing, or ONNX Runtime cannot use it.
        Exception: whatever ONNX Runtime raises for a network it cannot load; its exception types are not public.
    """
    return Session(network, options, device)


def _new_session(network: str | bytes, options: ort.SessionOptions, device: Device) -> ort.InferenceSession:
    if device == "cuda" and _CUDA not in ort.get_available_providers():
        raise ModelError("this ONNX Runtime has no CUDA support: install onnxruntime-gpu instead, or use the CPU")
    wanted = [_CUDA, _CPU] if device == "cuda" else [_CPU]
    session = ort.InferenceSession(network, options, providers=wanted)
    if wanted[0] not in session.get_providers():  # ONNX Runtime falls back to the CPU without an error
        raise ModelError("CUDA failed to start: check driver and libraries with nvidia-smi, or use the CPU")
    return session
