"""Which faces of an image are wanted: options that every command and `FaceAligner` share."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ddfa.arrays import Bools, Floats
from ddfa.errors import DetectorError

MIN_QUALITY: Final = 0.05
"""Faces below are none, or fits that have failed."""


@dataclass(frozen=True)
class FaceLimits:
    """Which detected faces are wanted; boxes and landmarks of the user's own are never refused.

    Attributes:
        min_score: drop faces with a lower score, 0 to 1; 0.6 by default with YuNet. Lower finds more faces, and more
            that are none.
        min_size: drop faces whose box is smaller, px of the photo: the square root of its area.
        max_faces: keep the largest N faces; 0 for all.
        min_quality: drop faces whose estimated quality (probability of a face with accurate landmarks) is lower, 0 to
            1; no effect for bundles without a quality head.

    Raises:
        DetectorError: on construction, if a number is out of range.
    """

    min_score: float | None = None
    min_size: float = 0.0
    max_faces: int = 0
    min_quality: float = MIN_QUALITY

    def __post_init__(self) -> None:
        if self.min_score is not None and not 0 < self.min_score <= 1:
            raise DetectorError(f"--min-score {self.min_score}: give a number above 0 and up to 1")
        if not 0 <= self.min_size < np.inf:
            raise DetectorError(f"--min-size {self.min_size}: give a number of px from 0 up")
        if not 0 <= self.min_quality <= 1:
            raise DetectorError(f"--min-quality {self.min_quality}: give a number from 0 to 1")
        if self.max_faces < 0:
            raise DetectorError(f"--max-faces {self.max_faces}: give 0 for all faces, or a positive number")

    def accept(self, boxes: Floats, scores: Floats) -> Bools:
        """Tell which faces score and size allow; the number of faces is limited later, when each appears once.

        Args:
            boxes: (n, 4) x0, y0, x1, y1 in px of the photo.
            scores: (n,).

        Returns:
            (n,) bool.
        """
        sides = np.asarray(boxes[:, 2:] - boxes[:, :2], np.float64)
        wanted = sides.prod(axis=1) >= self.min_size**2
        return np.asarray(wanted if self.min_score is None else wanted & (scores >= self.min_score))
