"""Detection in copies of an image turned by quarters of a turn: detectors find upright faces best."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ddfa.arrays import Bools, Float32, UInt8
from ddfa.detect.detections import Detections, Detector, box_areas


def detect_turned(detector: Detector, image: UInt8, quarters: int) -> Detections:
    """Detect faces in a turned copy of an image.

    Args:
        detector: the detector.
        image: (H, W, 3) uint8 RGB.
        quarters: by how many quarters the copy is turned anticlockwise; 1 makes faces with a roll of 90° upright.

    Returns:
        The faces in the image that is not turned.
    """
    found = detector(np.ascontiguousarray(np.rot90(image, quarters)))
    corners = unturned(found.boxes.reshape(-1, 2), quarters, image.shape[:2]).reshape(-1, 2, 2)
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    points = found.landmarks
    if points is not None:
        points = unturned(points.reshape(-1, 2), quarters, image.shape[:2]).reshape(points.shape)
    return replace(found, boxes=boxes, landmarks=points)


def unturned(points: Float32, quarters: int, shape: tuple[int, ...]) -> Float32:
    """Map points (K, 2) in `np.rot90(image, quarters)` to the image, of shape (height, width); px."""
    for turned in reversed(range(quarters)):
        width = shape[1 - turned % 2]  # of the image before this turn, whose columns became rows, the last one first
        points = np.stack([width - 1 - points[:, 1], points[:, 0]], axis=1)
    return points


def best_of(passes: Sequence[Detections]) -> Detections:
    """Join the faces of several passes over one image, the highest score first.

    Of two boxes that share more than half of the smaller area, the one with the higher score is kept.
    """
    boxes, scores = (np.concatenate([getattr(one, name) for one in passes]) for name in ("boxes", "scores"))
    with_landmarks = all(one.landmarks is not None for one in passes)
    landmarks = (
        np.concatenate([one.landmarks for one in passes if one.landmarks is not None]) if with_landmarks else None
    )
    kept = list[int]()
    for face in np.argsort(-scores, kind="stable").tolist():
        if not overlapping(boxes[[face]], boxes[kept]).any():
            kept.append(face)
    return Detections(boxes, scores, landmarks).select(np.array(kept, np.intp))


def overlapping(boxes: Float32, others: Float32) -> Bools:
    """Return which boxes (n, 4) share more than half of the smaller area with one of `others` (m, 4)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    smaller = np.minimum(box_areas(boxes)[:, None], box_areas(others)[None, :])
    return np.asarray((shared > 0.5 * smaller).any(axis=1))
