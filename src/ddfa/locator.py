"""The first half of alignment: from an image to the RoIs and rolls of its faces."""

from collections.abc import Callable
from functools import cached_property

import numpy as np

from ddfa.arrays import Float32, Floats, UInt8
from ddfa.detect import Detections, Detector
from ddfa.detect.limits import FaceLimits
from ddfa.detect.turned import best_of, detect_turned
from ddfa.errors import DetectorError
from ddfa.geometry.perspective import Camera
from ddfa.geometry.roi import FITTED_ENLARGEMENT, ORIGINAL_ENLARGEMENT, roi_from_boxes, roi_from_landmarks
from ddfa.head.measure import intrinsics_at
from ddfa.located import Located, usable
from ddfa.regress.roll import RollNetwork


class FaceLocator:
    """Detects faces and determines the squares to crop for the network.

    Args:
        load_detector: returns the detector; called on first use.
        roll: estimates by how much faces are turned; None if they are upright.
        limits: which detected faces are wanted.
        camera: of the images, to check that its intrinsics fit them; None if unknown.
        original: compute RoIs as the original 3DDFA does.
    """

    def __init__(
        self,
        load_detector: Callable[[], Detector],
        roll: RollNetwork | None,
        limits: FaceLimits,
        camera: Camera | None,
        original: bool,
    ) -> None:
        self._load_detector, self._roll = load_detector, roll
        self._limits, self._camera, self._original = limits, camera, original

    @cached_property
    def detector(self) -> Detector:
        """The detector in use."""
        return self._load_detector()

    def __call__(
        self, image: UInt8, boxes: Floats | None = None, landmarks: Floats | None = None, reduced_by: float = 1.0
    ) -> Located:
        """Detect the faces in an image, see `FaceAligner.locate`."""
        if self._camera is not None:  # an error before any work
            intrinsics_at(self._camera, (image.shape[1], image.shape[0]))
        given = boxes is not None or landmarks is not None
        found = self._detections(image, boxes, landmarks)
        roll = self._roll_of(image, found)
        quarters = set(np.round(roll / 90).astype(int) % 4) - {0}
        if quarters and not given:  # the whole photo may be turned, and other faces are easier to find upright
            found = best_of([found, *(detect_turned(self.detector, image, q) for q in quarters)]).largest_first()
            roll = self._roll_of(image, found)
        if not given:
            wanted = self._limits.accept(found.boxes * reduced_by, found.scores)
            if not wanted.all():
                found, roll = found.select(np.flatnonzero(wanted)), roll[wanted]
        if found.landmarks is not None:
            return Located(image, roi_from_landmarks(found.landmarks), found, given, roll)
        enlargement = ORIGINAL_ENLARGEMENT if self._original else FITTED_ENLARGEMENT
        roi = roi_from_boxes(found.boxes, enlargement=enlargement, truncate=self._original, roll_deg=roll)
        return Located(image, roi, found, given, roll)

    def _roll_of(self, image: UInt8, found: Detections) -> Float32:
        """By how much the faces are turned (n,), degrees clockwise."""
        if self._roll is None or not len(found):
            return np.zeros(len(found), np.float32)
        if found.landmarks is not None:
            roi = roi_from_landmarks(found.landmarks)
        else:
            roi = roi_from_boxes(found.boxes, enlargement=FITTED_ENLARGEMENT, shift_down=0.0)
        good = usable(roi, (image.shape[1], image.shape[0]))  # the others are refused when they are regressed
        roll = np.zeros(len(found), np.float32)
        roll[good] = self._roll(image, roi[good])
        return roll

    def _detections(self, image: UInt8, boxes: Floats | None, landmarks: Floats | None) -> Detections:
        if boxes is not None and landmarks is not None:
            raise DetectorError("pass boxes or landmarks, not both")
        if boxes is not None:
            return Detections.from_boxes(boxes)
        if landmarks is not None:
            return Detections.from_landmarks(landmarks)
        return self.detector(image)
