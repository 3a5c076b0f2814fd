"""The YuNet face detector at two scales (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023)."""

import math
from pathlib import Path

import cv2
import numpy as np

from ddfa.arrays import UInt8
from ddfa.detect.detections import Detections
from ddfa.detect.turned import best_of, detect_turned, overlapping
from ddfa.detect.yunet_network import YuNetNetwork
from ddfa.errors import DetectorError
from ddfa.files import shipped_bytes
from ddfa.sessions import Device

WEIGHTS = Path(__file__).parent / "assets" / "face_detection_yunet_2023mar.onnx"
WEIGHTS_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

# YuNet is trained on faces of 10 to 300 px; outside that range it misses faces and detects parts of faces.
# The coarse pass runs on every image at 192 to 384 px, which suits all faces that fill a large part of it.
# The fine pass runs on larger images at up to `max_side` px; only its small faces are kept.
# The side of an image is the square root of its area here, so that a panorama is not reduced to a few rows.
COARSE_SIDES = (192, 384)
FINE_SIDE = 1024
FINE_FACE_SIDE = 256.0
NMS_OVERLAP = 0.3
# Scores of upright faces are rarely below this. A photo whose best face is below, or that has none, is searched again,
# turned by 90, 180 and 270°, at low resolution: in AFLW2000-3D these are 4 % of the upright photos.
TURNED_BELOW = 0.85
TURNED_SIDE = 256
SCORE_THRESHOLD = 0.6


class YuNet:
    """The default detector: 0.2 MB of weights, a few milliseconds per image.

    The network runs twice on an image of more than 384 x 384 px: at low resolution for large faces, at high resolution
    for small ones. On a smaller image it runs once; an image of less than 192 x 192 px is enlarged first. If the best
    face is weak, it also runs on small copies turned by 90, 180 and 270°.
    """

    def __init__(
        self,
        score_threshold: float = SCORE_THRESHOLD,
        max_side: int = FINE_SIDE,
        weights: Path = WEIGHTS,
        threads: int | None = None,
        device: Device = "cpu",
    ) -> None:
        """Load and verify the weights.

        Args:
            score_threshold: faces below this confidence are dropped.
            max_side: square root of the image area (px) in the fine pass, in which a face needs about 20 px to be
                detected.
            weights: the ONNX file.
            threads: CPU threads; None leaves the choice to ONNX Runtime.
            device: "cpu" or "cuda".

        Raises:
            ModelError: the device is not available.
            DetectorError: the weights are missing or are not the expected file.
        """
        self._max_side = max_side
        content = shipped_bytes(weights, WEIGHTS_SHA256, "the YuNet weights", DetectorError)
        self._network = YuNetNetwork(content, score_threshold, NMS_OVERLAP, threads, device)

    def __call__(self, image: UInt8) -> Detections:
        """Detect the faces in an RGB uint8 image (H, W, 3).

        Returns:
            The faces, largest box first.
        """
        side = math.sqrt(image.shape[0] * image.shape[1])
        scale = min(side, self._max_side) / side
        image = _resized(image, scale)  # once for both passes: reducing a large image is slow
        coarse_scale = min(max(side, COARSE_SIDES[0]), COARSE_SIDES[1]) / (scale * side)
        found = self._detect(image, coarse_scale, scale)
        if side > COARSE_SIDES[1]:
            fine = self._detect(image, 1, scale)
            small = np.flatnonzero((fine.boxes[:, 2:] - fine.boxes[:, :2]).max(axis=1) * scale <= FINE_FACE_SIDE)
            found = merge_passes(found, fine.select(small))
        if not len(found) or found.scores.max() < TURNED_BELOW:
            reduced = min(coarse_scale, TURNED_SIDE / (scale * side)) if len(found) else coarse_scale
            found = best_of([found, *(self._detect(image, reduced, scale, quarters) for quarters in (1, 2, 3))])
        return found.largest_first()

    def _detect(self, image: UInt8, scale: float, previous_scale: float, quarters: int = 0) -> Detections:
        """Run the network once on the image resized by `scale`, which has been resized by `previous_scale` already.

        The image is then turned anticlockwise by so many quarters of a turn.
        """
        found = detect_turned(
            lambda turned: Detections.from_boxes(*self._network(turned)), _resized(image, scale), quarters
        )
        return Detections(found.boxes / (scale * previous_scale), found.scores)


def _resized(image: UInt8, scale: float) -> UInt8:
    """Resize an image: by halves, then bilinearly, which takes a fifth of the time of averaging by a fraction."""
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    while image.shape[0] >= 2 * height and image.shape[1] >= 2 * width:
        halves = tuple(-(-side // 2) for side in image.shape[1::-1])
        image = np.asarray(cv2.resize(image, halves, interpolation=cv2.INTER_LINEAR), np.uint8)  # means of 2 x 2 px
    if (height, width) == image.shape[:2]:
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def merge_passes(coarse: Detections, fine: Detections) -> Detections:
    """Join the faces of two passes over one image.

    Args:
        coarse: faces of the pass at low resolution; all are kept.
        fine: faces of the pass at high resolution; one that repeats a coarse face, or is a part of one, is dropped.

    Returns:
        The coarse faces, then the remaining fine ones.
    """
    new = np.flatnonzero(~overlapping(fine.boxes, coarse.boxes))
    return Detections(
        np.concatenate([coarse.boxes, fine.boxes[new]]), np.concatenate([coarse.scores, fine.scores[new]])
    )
