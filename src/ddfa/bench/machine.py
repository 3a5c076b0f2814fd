"""The machine that figures were measured on, as a table."""

import platform
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from ddfa.bench.report import Sheet


def machine_sheet() -> Sheet:
    """The processor and the versions of the libraries that do the computing."""
    rows = [
        ("processor", _processor()),
        ("Python", platform.python_version()),
        ("NumPy", np.__version__),
        ("OpenCV", cv2.__version__),
        ("ONNX Runtime", onnxruntime.__version__),
    ]
    return Sheet("Machine", ("of", "version"), rows)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.machine()
