"""Detectors of the caller's own, which may return plain arrays."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ddfa.arrays import UInt8
from ddfa.detect.detections import Detections
from ddfa.errors import DetectorError

AnyDetector: TypeAlias = Callable[[UInt8], Any]
"""A callable that maps an RGB uint8 image (H, W, 3) to `Detections`, or to what `as_detections` accepts."""


class CustomDetector:
    """A detector whose result may be plain arrays.

    Args:
        detect: the caller's own detector.
    """

    def __init__(self, detect: AnyDetector) -> None:
        self.detect = detect

    def __call__(self, image: UInt8) -> Detections:
        """Detect the faces in an RGB uint8 image (H, W, 3), the largest first."""
        found = self.detect(image)
        return found if isinstance(found, Detections) else as_detections(found).largest_first()


def as_detections(found: Any) -> Detections:
    """Convert the result of a detector.

    Args:
        found: `Detections`; boxes (n, 4), x0, y0, x1, y1 in image px, or (n, 5) with scores; landmarks (n, 68, 2 or 3);
            a pair of boxes (n, 4) and scores (n,); None or an empty list if there is no face.

    Raises:
        DetectorError: it is something else, or a box is empty or not finite.
    """
    if isinstance(found, Detections):
        return found
    if found is None or (np.size(found) == 0 if not isinstance(found, tuple) else not found):
        return Detections.none()
    if isinstance(found, tuple) and len(found) == 2 and np.ndim(found[0]) == 2 and np.ndim(found[1]) == 1:
        return Detections.from_boxes(*found)
    try:
        array = np.asarray(found, np.float32)
    except (TypeError, ValueError):
        array = np.zeros(0, np.float32)
    if array.ndim == 3:
        return Detections.from_landmarks(array)
    if array.ndim == 2 and array.shape[1] in (4, 5):
        return Detections.from_boxes(array[:, :4], array[:, 4] if array.shape[1] == 5 else None)
    raise DetectorError(
        "a detector must return boxes (n, 4), boxes with scores (n, 5), a pair of both, landmarks (n, 68, 2) or "
        f"Detections, not {type(found).__name__} {np.shape(array)}"
    )
