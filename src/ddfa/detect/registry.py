"""Detectors by name, loaded on first use: `yunet`, `yunet:exact` or `dlib:PATH.dat`."""

from pathlib import Path

from ddfa.detect.detections import Detector
from ddfa.errors import DetectorError
from ddfa.sessions import Device


def default_detector(
    threads: int | None = None, device: Device = "cpu", min_score: float | None = None, exact: bool = False
) -> Detector:
    """Return YuNet with its shipped weights.

    Args:
        threads: CPU threads; None leaves the choice to ONNX Runtime.
        device: "cpu" or "cuda".
        min_score: faces with a lower score are dropped; None for 0.6.
        exact: search every part of the image; several times slower.

    Raises:
        ModelError: the device is not available.
        DetectorError: the shipped weights are missing or altered.
    """
    from ddfa.detect.yunet import SCORE_THRESHOLD, YuNet

    return YuNet(SCORE_THRESHOLD if min_score is None else min_score, threads=threads, device=device, exact=exact)


def load_detector(
    name: str, threads: int | None = None, device: Device = "cpu", min_score: float | None = None
) -> Detector:
    """Return a detector by name.

    Args:
        name: `yunet`; `yunet:exact`, which searches every part of the image; `dlib` (HOG boxes); or `dlib:PATH.dat`
            (HOG boxes, then the 68 landmarks of that file).
        threads: CPU threads of YuNet, as in `default_detector`.
        device: device of YuNet; dlib always runs on the CPU.
        min_score: score threshold of YuNet, as in `default_detector`; dlib has its own.

    Returns:
        The detector.

    Raises:
        DetectorError: the name is unknown or the detector cannot be loaded.
    """
    kind, _, argument = name.partition(":")
    if name in ("yunet", "yunet:exact"):
        return default_detector(threads, device, min_score, exact=argument == "exact")
    if kind == "dlib":
        from ddfa.detect.dlib import DlibDetector

        return DlibDetector(Path(argument) if argument else None)
    raise DetectorError(f"unknown detector '{name}': choose yunet, yunet:exact, dlib or dlib:PATH_TO_68_LANDMARKS.dat")
