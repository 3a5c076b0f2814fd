"""Finding faces: one protocol, several detectors, boxes from files.

A detector is any callable from an RGB picture to `Detections`, so a function of your own serves as well.
"""

from ddfa.detect.detections import Detections, Detector
from ddfa.detect.registry import default_detector, load_detector

__all__ = ["Detections", "Detector", "default_detector", "load_detector"]
