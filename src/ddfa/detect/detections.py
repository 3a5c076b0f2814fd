"""The result of every face detector and the protocol that detectors implement."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ddfa.arrays import Float32, Float64, Floats, UInt8
from ddfa.errors import DetectorError


@dataclass(frozen=True, eq=False)
class Detections:
    """The n faces detected in one image, largest box first.

    Attributes:
        boxes: (n, 4) float32, x0 y0 x1 y1 in image px; may extend beyond the image.
        scores: (n,) float32, confidence in [0, 1].
        landmarks: (n, 68, 2) float32 iBUG-68 points in image px, or None if the detector finds boxes only.

    Raises:
        DetectorError: on construction, if the shapes do not agree, a value is not finite or a box is empty.
    """

    boxes: Float32
    scores: Float32
    landmarks: Float32 | None = None

    def __post_init__(self) -> None:
        boxes, scores = np.asarray(self.boxes, np.float32), np.asarray(self.scores, np.float32)
        n = len(boxes)
        if boxes.shape != (n, 4) or scores.shape != (n,):
            raise DetectorError(f"boxes must be (n, 4) and scores (n,), not {boxes.shape} and {scores.shape}")
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise DetectorError("boxes and scores must be finite numbers: remove the faces with NaN or infinity")
        empty = np.flatnonzero((boxes[:, 2:] <= boxes[:, :2]).any(axis=1))
        if len(empty):
            raise DetectorError(f"box {empty[0]} is empty: pass x0 y0 x1 y1 with x0 < x1 and y0 < y1")
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "scores", scores)
        if self.landmarks is not None:
            landmarks = np.asarray(self.landmarks, np.float32)
            if landmarks.shape != (n, 68, 2) or not np.isfinite(landmarks).all():
                raise DetectorError(f"landmarks must be finite and of shape ({n}, 68, 2), not {landmarks.shape}")
            object.__setattr__(self, "landmarks", landmarks)

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def none(cls) -> "Detections":
        """Return the result for an image without faces."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    @classmethod
    def from_boxes(cls, boxes: Floats, scores: Floats | None = None) -> "Detections":
        """Build detections from given boxes and keep their order.

        Args:
            boxes: (n, 4), x0 y0 x1 y1 in image px.
            scores: (n,) in [0, 1]; 1 by default.

        Returns:
            The detections.

        Raises:
            DetectorError: a box is empty, not finite or of the wrong shape.
        """
        boxes = _numbers(boxes, "boxes")
        if not boxes.size:
            return cls.none()
        return cls(boxes, np.ones(len(boxes), np.float32) if scores is None else _numbers(scores, "scores"))

    @classmethod
    def from_landmarks(cls, landmarks: Floats) -> "Detections":
        """Build detections from given landmarks and keep their order.

        Args:
            landmarks: (n, 68, 2 or 3) iBUG-68 points in image px; a third coordinate is ignored.

        Returns:
            The detections; each box is the bounding box of its landmarks, each score is 1.

        Raises:
            DetectorError: landmarks are not finite, all at the same position or of the wrong shape.
        """
        points = _numbers(landmarks, "landmarks")
        if not points.size:
            return cls.none()
        if points.ndim != 3 or points.shape[1] != 68 or points.shape[2] not in (2, 3):
            raise DetectorError(f"landmarks must be (n, 68, 2), not {points.shape}")
        points = points[..., :2]
        boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
        return cls(boxes, np.ones(len(points), np.float32), points)

    def select(self, index: "np.typing.NDArray[np.intp]") -> "Detections":
        """Return the faces at `index` (m,), in that order."""
        landmarks = None if self.landmarks is None else self.landmarks[index]
        return Detections(self.boxes[index], self.scores[index], landmarks)

    def largest_first(self) -> "Detections":
        """Return the same faces sorted by the area of their box, largest first."""
        return self.select(np.argsort(-box_areas(self.boxes), kind="stable"))


class Detector(Protocol):
    """A callable that detects the faces in an image."""

    def __call__(self, image: UInt8) -> Detections:
        """Detect the faces in an RGB uint8 image (H, W, 3)."""
        ...


def box_areas(boxes: Float32) -> Float32:
    """Return the areas (n,) of boxes (n, 4) in square pixels."""
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.float32)


def box_overlap(boxes: Floats, other: Floats) -> Float64:
    """Return the intersection over union (n,) float64 of boxes (n, 4) with one box (4,), each x0 y0 x1 y1."""
    boxes, other = np.asarray(boxes, np.float64), np.asarray(other, np.float64)
    shared = np.minimum(boxes[:, 2:], other[2:]) - np.maximum(boxes[:, :2], other[:2])
    area = np.prod(np.clip(shared, 0, None), axis=1)
    total = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(other[2:] - other[:2])
    return np.asarray(area / np.maximum(total - area, 1e-9))


def _numbers(values: Floats, name: str) -> Float32:
    try:
        return np.asarray(values, np.float32)
    except (TypeError, ValueError):
        raise DetectorError(f"{name} must be one array of numbers, with the same shape for every face") from None
