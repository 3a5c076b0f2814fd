"""What every face detector returns, and the protocol it follows."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ddfa.arrays import Float32, Float64, Floats, UInt8
from ddfa.errors import DetectorError


@dataclass(frozen=True, eq=False)
class Detections:
    """The n faces found in one image, largest box first.

    Attributes:
        boxes: (n, 4) float32, x0 y0 x1 y1 in image px; may reach over the border of the image.
        scores: (n,) float32, confidence in [0, 1].
        landmarks: (n, 68, 2) float32 iBUG-68 points in image px, where the detector finds them too.

    Raises:
        DetectorError: on construction, if the shapes do not agree, a number is not finite or a box is empty.
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
            raise DetectorError("boxes and scores must be finite numbers: remove the faces that hold NaN or infinity")
        empty = np.flatnonzero((boxes[:, 2:] <= boxes[:, :2]).any(axis=1))
        if len(empty):
            raise DetectorError(f"box {empty[0]} is empty: give x0 y0 x1 y1 with x0 < x1 and y0 < y1")
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
        """Return the result for a picture without a face."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    @classmethod
    def from_boxes(cls, boxes: Floats, scores: Floats | None = None) -> "Detections":
        """Wrap boxes from elsewhere, in their own order.

        Args:
            boxes: (n, 4), x0 y0 x1 y1 in image px.
            scores: (n,) in [0, 1]; 1 where not given.

        Returns:
            The detections.

        Raises:
            DetectorError: if a box is empty, not finite or of the wrong shape.
        """
        boxes = _numbers(boxes, "boxes")
        if not boxes.size:
            return cls.none()
        return cls(boxes, np.ones(len(boxes), np.float32) if scores is None else _numbers(scores, "scores"))

    @classmethod
    def from_landmarks(cls, landmarks: Floats) -> "Detections":
        """Wrap landmarks from elsewhere, in their own order.

        Args:
            landmarks: (n, 68, 2 or 3) iBUG-68 points in image px; a third coordinate is ignored.

        Returns:
            The detections, each box drawn tightly around its landmarks, score 1.

        Raises:
            DetectorError: if landmarks are not finite, all in one place or of the wrong shape.
        """
        points = _numbers(landmarks, "landmarks")
        if not points.size:
            return cls.none()
        if points.ndim != 3 or points.shape[1] != 68 or points.shape[2] not in (2, 3):
            raise DetectorError(f"landmarks must be (n, 68, 2), not {points.shape}")
        points = points[..., :2]
        around = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
        return cls(around, np.ones(len(points), np.float32), points)

    def select(self, index: "np.typing.NDArray[np.intp]") -> "Detections":
        """Return the faces at `index` (m,), in that order."""
        landmarks = None if self.landmarks is None else self.landmarks[index]
        return Detections(self.boxes[index], self.scores[index], landmarks)

    def largest_first(self) -> "Detections":
        """Return the same faces ordered by the area of their box, largest first."""
        return self.select(np.argsort(-box_areas(self.boxes), kind="stable"))


class Detector(Protocol):
    """Anything that finds the faces of a picture."""

    def __call__(self, image: UInt8) -> Detections:
        """Find the faces of an RGB uint8 image (H, W, 3)."""
        ...


def box_areas(boxes: Float32) -> Float32:
    """Return the areas (n,) of boxes (n, 4) in square pixels."""
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.float32)


def box_overlap(boxes: Floats, other: Floats) -> Float64:
    """Intersection over union of boxes (n, 4) with one box (4,), x0 y0 x1 y1: (n,) float64."""
    boxes, other = np.asarray(boxes, np.float64), np.asarray(other, np.float64)
    shared = np.minimum(boxes[:, 2:], other[2:]) - np.maximum(boxes[:, :2], other[:2])
    area = np.prod(np.clip(shared, 0, None), axis=1)
    both = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(other[2:] - other[:2])
    return np.asarray(area / np.maximum(both - area, 1e-9))


def _numbers(values: Floats, name: str) -> Float32:
    try:
        return np.asarray(values, np.float32)
    except (TypeError, ValueError):
        raise DetectorError(f"{name} must be one array of numbers, every face in the same form") from None
