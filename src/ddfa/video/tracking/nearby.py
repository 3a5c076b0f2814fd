"""Confirms a face by running a detector in a small window, which is much cheaper than a search of the whole frame."""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.detect import Detections, Detector
from ddfa.detect.detections import box_overlap
from ddfa.regress.turned import turned_patch

SAME_BOX: Final = 0.3  # IoU from which a box and a track are the same face
_WINDOW: Final = 192  # px, largest side of the window
_LEAST: Final = 8  # px, smallest side of the window


class NearbyDetector:
    """Finds the face at an expected box.

    Args:
        detector: run in a window of twice the size of the box.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def __call__(self, image: UInt8, box: Float32, roll_deg: float = 0.0) -> Detections | None:
        """Detect near a box.

        Args:
            image: (H, W, 3) uint8 RGB.
            box: (4,) px.
            roll_deg: by how much the face is turned clockwise; the window is turned upright, and the detection moved to
                the centre of the box.

        Returns:
            The one detection that overlaps the box most, image px; None if there is none.
        """
        side = 2.0 * float(max(box[2:] - box[:2]))
        centre = (box[:2] + box[2:]) / 2
        if roll_deg:
            square = np.concatenate([centre - side / 2, centre + side / 2])
            window, own = turned_patch(image, square, roll_deg, _WINDOW // 2)
            zoom, middle = (own[2] - own[0]) / side, (own[:2] + own[2:]) / 2
            half = (box[2:] - box[:2]).max() / 2 * zoom
            seen = self(window, np.concatenate([middle - half, middle + half]))
            if seen is None:
                return None
            half_sides = (seen.boxes[:, 2:] - seen.boxes[:, :2]) / zoom / 2
            return Detections(np.concatenate([centre - half_sides, centre + half_sides], axis=1), seen.scores)
        x0, y0 = (max(0, int(v - side / 2)) for v in centre)
        window = image[y0 : int(centre[1] + side / 2) + 1, x0 : int(centre[0] + side / 2) + 1]
        if min(window.shape[:2]) < _LEAST:
            return None
        scale = min(1.0, _WINDOW / max(window.shape[:2]))
        small = cv2.resize(window, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else window
        found = self._detector(np.ascontiguousarray(small, np.uint8))
        boxes = found.boxes / scale + np.array([x0, y0, x0, y0], np.float32)
        overlaps = box_overlap(boxes, box)
        if not len(overlaps) or overlaps.max() < SAME_BOX:
            return None
        best = int(np.argmax(overlaps))
        return Detections(boxes[best : best + 1], found.scores[best : best + 1])
