"""`ddfa doctor`: is this installation complete and in order?"""

import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import ddfa
from ddfa.commands.first_run import compiled_kernels, kernel_folder
from ddfa.commands.messages import MESSAGES, MessageOptions, Messages, complain
from ddfa.errors import one_line
from ddfa.exit_codes import FAILED, OK
from ddfa.extras import EXTRA_OF, pip_line

_ESSENTIAL: Final = ("numpy", "onnxruntime", "opencv-python-headless", "simplejpeg", "pillow", "scipy", "numba")
_ALTERNATIVES: Final = {
    "onnxruntime": ("onnxruntime-gpu",),
    "opencv-python-headless": ("opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"),
}


def doctor(messages: MessageOptions = MESSAGES) -> int:
    """Check versions, model files, detection, caches, cameras and optional libraries.

    Each line is "ok", "FAILED" or "-" (optional and missing, with the line that installs it). Exit code 2 if something
    fails that `ddfa align` needs.

    Args:
        messages: what is printed.

    Returns:
        The exit code.
    """
    versions = {"ddfa": ddfa.__version__, "python": platform.python_version(), "platform": platform.platform()}
    messages.result("ddfa {ddfa}, Python {python}, {platform}".format(**versions), **versions)
    checks: dict[str, Callable[[], str]] = {
        **{name: lambda name=name: _version(name) for name in _ESSENTIAL},  # type: ignore[misc]
        "ONNX Runtime on": _providers,
        "weights": _weights,
        "detector and alignment": _alignment,
        "compiled kernels": _kernels,
    }
    failed = [name for name, check in checks.items() if not _passes(name, check, messages)]
    _optional(messages)
    summary = f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}"
    messages.result(summary if failed else "everything needed is here", checks=len(checks), failed=failed)
    return FAILED if failed else OK


def _passes(name: str, check: Callable[[], str], messages: Messages) -> bool:
    try:
        _say(messages, "ok", f"{name}: {check()}")
    except Exception as error:  # whatever is broken
        text = f"{name}: {one_line(str(error)) or type(error).__name__}"
        if messages.quiet:
            complain("doctor", text)
        else:
            _say(messages, "FAILED", text)
        return False
    return True


def _say(messages: Messages, state: str, text: str) -> None:
    name, _, detail = text.partition(": ")
    messages.result(f"{state:7} {text}", check=name, state=state, detail=detail)


def _version(name: str) -> str:
    for distribution in (name, *_ALTERNATIVES.get(name, ())):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    raise ModuleNotFoundError(f"not installed: pip install {name}")


def _providers() -> str:
    import onnxruntime

    return ", ".join(onnxruntime.get_available_providers())


def _weights() -> str:
    """Verify the SHA-256 of every installed bundle."""
    from ddfa.regress.bundle import Bundle
    from ddfa.regress.registry import DEFAULT, installed

    found = installed()
    if DEFAULT not in found:
        raise FileNotFoundError("the default weights are missing: install the package again")
    return ", ".join(Bundle.load(folder).name for folder in found.values()) + " (verified)"


def _alignment() -> str:
    """Run detector, roll network, network and region networks once."""
    import numpy as np

    aligner = ddfa.FaceAligner(min_quality=0)
    image = np.full((240, 240, 3), 128, np.uint8)
    _ = aligner(image)
    faces = aligner(image, boxes=np.array([[60, 60, 180, 180]], np.float32))
    return f"{faces.landmarks68.shape[1]} landmarks, {faces.vertices.shape[1]} vertices"


def _kernels() -> str:
    """Where Numba keeps compiled kernels, and whether it can."""
    folder, count = kernel_folder(), compiled_kernels()
    if os.access(folder, os.W_OK):
        return f"{count} in {folder}" if count else f"none yet in {folder}: the first run compiles them, some seconds"
    return f"{folder} is not writable: Numba uses its folder in the user's home, or each run compiles"


def _optional(messages: Messages) -> None:
    """List extras, and cameras where they are files."""
    for extra in dict.fromkeys(EXTRA_OF.values()):
        missing = [module for module, owner in EXTRA_OF.items() if owner == extra and not _is_there(module)]
        lacks = f"extra {extra}: lacks {', '.join(missing)}: {pip_line(extra)}"
        _say(messages, "-" if missing else "ok", lacks if missing else f"extra {extra}")
    if sys.platform == "linux":
        cameras = sorted(str(path) for path in Path("/dev").glob("video*"))
        _say(messages, "ok" if cameras else "-", f"cameras: {', '.join(cameras) or 'none'}")


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
