"""dlib's HOG face detector and 68-landmark predictor (extra `dlib`), as used by the original 3DDFA V1."""

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ddfa.arrays import UInt8
from ddfa.detect.detections import Detections
from ddfa.errors import DetectorError


class DlibDetector:
    """HOG detector with one upsampling step; with a landmark file it also predicts 68 points per face.

    The landmark file (`shape_predictor_68_face_landmarks.dat`) does not ship: its licence forbids commercial use.
    """

    def __init__(self, landmark_file: Path | None = None) -> None:
        """Load dlib and, if given, the landmark file.

        Args:
            landmark_file: a dlib shape predictor of 68 points.

        Raises:
            DetectorError: dlib is not installed or the file cannot be used.
        """
        try:
            import dlib
        except ImportError as error:
            raise DetectorError(
                "dlib is not installed: pip install 'openddfa[dlib]', or use --detector yunet"
            ) from error
        self._lock = Lock()  # the detector keeps intermediate results between calls
        self._detector: Any = dlib.get_frontal_face_detector()
        self._predictor: Any = None
        if landmark_file is None:
            return
        if not landmark_file.is_file():
            raise DetectorError(f"dlib landmark file not found: {landmark_file}; pass the path of a 68-point .dat file")
        try:
            self._predictor = dlib.shape_predictor(str(landmark_file))
        except RuntimeError as error:
            raise DetectorError(f"{landmark_file} is not a dlib shape predictor: download it again") from error

    def __call__(self, image: UInt8) -> Detections:
        """Detect the faces in an RGB uint8 image (H, W, 3).

        Returns:
            The faces, largest box first; the score is 1 / (1 + exp(-s)) of the HOG margin s.
        """
        image = np.ascontiguousarray(image)
        with self._lock:
            rectangles, margins, _ = self._detector.run(image, 1, 0.0)
        if not rectangles:
            return Detections.none()
        boxes = np.array([[r.left(), r.top(), r.right(), r.bottom()] for r in rectangles], np.float32)
        scores = np.asarray(1 / (1 + np.exp(-np.asarray(margins))), np.float32)
        landmarks = None
        if self._predictor is not None:
            shapes = [self._predictor(image, rectangle).parts() for rectangle in rectangles]
            landmarks = np.array([[(point.x, point.y) for point in parts] for parts in shapes], np.float32)
        return Detections(boxes, scores, landmarks).largest_first()
