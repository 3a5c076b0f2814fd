"""Face detection: one protocol, several detectors, boxes from files.

A detector is any callable that maps an RGB image to `Detections`, so users can pass a function of their own.
"""

from ddfa.detect.detections import Detections, Detector
from ddfa.detect.registry import default_detector, load_detector

__all__ = ["Detections", "Detector", "default_detector", "load_detector"]
