"""Detectors by name, loaded on first use: `yunet` or `dlib:PATH.dat`."""

from pathlib import Path

from ddfa.detect.detections import Detector
from ddfa.errors import DetectorError


def default_detector(threads: int | None = None) -> Detector:
    """Return YuNet with its shipped weights.

    Args:
        threads: CPU threads; None leaves the choice to ONNX Runtime.

    Raises:
        DetectorError: if the shipped weights are missing or altered.
    """
    from ddfa.detect.yunet import YuNet

    return YuNet(threads=threads)


def load_detector(name: str, threads: int | None = None) -> Detector:
    """Return a detector by name.

    Args:
        name: `yunet`; `dlib` (HOG boxes); or `dlib:PATH.dat` (HOG boxes, then the 68 landmarks of that file).
        threads: CPU threads of YuNet, as of `default_detector`.

    Returns:
        The detector.

    Raises:
        DetectorError: if the name is unknown or the detector cannot be loaded.
    """
    kind, _, argument = name.partition(":")
    if name == "yunet":
        return default_detector(threads)
    if kind == "dlib":
        from ddfa.detect.dlib import DlibDetector

        return DlibDetector(Path(argument) if argument else None)
    raise DetectorError(f"unknown detector '{name}': choose yunet, dlib or dlib:PATH_TO_68_LANDMARKS.dat")
