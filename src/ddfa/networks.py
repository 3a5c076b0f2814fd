"""Opens networks that may come from anybody: first in a process of their own, with a time limit.

A network is a program: it can be made to loop for ever, or to take the runtime down, while it is loaded or run. What
ships with this package is opened directly.
"""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ddfa.child_processes import module_command
from ddfa.errors import ModelError, reason
from ddfa.files import read_file
from ddfa.sessions import Device, open_session, session_options

if TYPE_CHECKING:
    import onnxruntime as ort

LIMIT_VARIABLE: Final = "DDFA_NETWORK_SECONDS"
LIMIT_S: Final = 60.0
_PACKAGE: Final = Path(__file__).resolve().parent
_FAILED: Final = 3  # exit code of the trial if ONNX Runtime raises an error
_LARGEST: Final = 1 << 26  # values of an input that is made up

# SHA-256 of networks that this process has tried.
_TRIED: set[bytes] = set()


def open_network(
    path: Path, threads: int | None, device: Device = "cpu", what: str = "a network"
) -> "ort.InferenceSession":
    """Open the network in a file.

    It is opened from its content, so that ONNX Runtime reads no other file: weights in external files are not verified.

    Args:
        path: the ONNX file.
        threads: CPU threads, at least 1; None leaves the choice to ONNX Runtime.
        device: "cpu" or "cuda".
        what: how to name it in messages.

    Raises:
        ModelError: the file is missing or not a network; it crashes, or takes longer than `DDFA_NETWORK_SECONDS`
            (environment; 60 by default, 0 for no trial) to load and to run once; the device is not available.
    """
    content = read_file(path, ModelError)
    options = session_options(threads)
    if not path.resolve().is_relative_to(_PACKAGE):
        _try(content, path, what)
    try:
        return open_session(content, options, device)
    except ModelError:
        raise
    except Exception as error:  # ONNX Runtime's own exception types are not public
        raise ModelError(f"{path} cannot be loaded as {what} ({reason(error)})") from None


def _try(content: bytes, path: Path, what: str) -> None:
    """Load a network and run it once in another process; once per process is enough."""
    digest, limit = hashlib.sha256(content).digest(), _limit_s()
    if digest in _TRIED or not limit:
        return
    command = module_command("ddfa.networks")
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"{path} takes longer than {limit:g} s to be loaded and run once: use another network, or raise the limit "
            f"with the environment variable {LIMIT_VARIABLE}"
        ) from None
    if done.returncode == _FAILED:
        raise ModelError(f"{path} cannot be loaded as {what} ({done.stdout.decode(errors='replace').strip()})")
    if done.returncode:
        ended = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        raise ModelError(f"{path} ends the process that loads it ({ended}): use another network")
    _TRIED.add(digest)


def _limit_s() -> float:
    text = os.environ.get(LIMIT_VARIABLE, str(LIMIT_S))
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < float("inf"):
        raise ModelError(f"{LIMIT_VARIABLE} is {text!r}: set it to a number of seconds, or 0 for no limit")
    return limit


def main(_: Sequence[str]) -> None:
    """Load the network on standard input and run it once, in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    try:
        session = open_session(sys.stdin.buffer.read(), session_options(1))
        session.run(None, {one.name: _made_up(one) for one in session.get_inputs()})
    except Exception as error:
        print(reason(error))
        sys.exit(_FAILED)


def _made_up(tensor: Any) -> Any:
    """An input of zeros of the type and shape that a network asks for; 1 along axes of any length."""
    import numpy as np

    types = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(float16)": np.float16}
    if tensor.type not in types:
        raise ValueError(f"an input is a {tensor.type}")
    shape = [side if isinstance(side, int) else 1 for side in tensor.shape]
    if np.prod(shape, dtype=float) > _LARGEST:
        raise ValueError(f"an input of shape {shape}")
    return np.zeros(shape, types[tensor.type])
