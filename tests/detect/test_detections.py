"""Detections: validation, order, boxes from landmarks, overlap."""

import numpy as np
import pytest

from ddfa.detect.detections import Detections, box_areas, box_overlap
from ddfa.errors import DetectorError

BOXES = np.array([[0, 0, 10, 10], [5, 5, 30, 40], [2, 2, 12, 22]], np.float32)


def test_largest_first() -> None:
    landmarks = np.arange(3 * 68 * 2, dtype=np.float32).reshape(3, 68, 2)
    found = Detections(BOXES, np.array([0.9, 0.5, 0.7]), landmarks).largest_first()
    assert len(found) == 3
    np.testing.assert_array_equal(found.boxes, BOXES[[1, 2, 0]])
    np.testing.assert_array_equal(found.scores, np.float32([0.5, 0.7, 0.9]))
    np.testing.assert_array_equal(found.landmarks, landmarks[[1, 2, 0]])
    assert found.boxes.dtype == found.scores.dtype == np.float32


def test_none() -> None:
    assert len(Detections.none()) == 0
    assert len(Detections.none().largest_first()) == 0


@pytest.mark.parametrize(
    ("boxes", "reason"),
    [
        ([[0, 0, np.nan, 5]], "NaN"),
        ([[0, 0, np.inf, 5]], "infinity"),
        ([[0, 0, 0, 5]], "empty"),
        ([[4, 0, 1, 5]], "empty"),
        ([[0, 0, 5]], r"\(n, 4\)"),
        ([0, 0, 5, 5], r"\(n, 4\)"),
    ],
)
def test_bad_boxes(boxes: list, reason: str) -> None:
    with pytest.raises(DetectorError, match=reason) as caught:
        Detections.from_boxes(np.array(boxes))
    assert "\n" not in str(caught.value)


def test_bad_landmarks() -> None:
    with pytest.raises(DetectorError, match="68"):
        Detections(BOXES, np.ones(3), np.zeros((3, 5, 2)))
    with pytest.raises(DetectorError, match="scores"):
        Detections.from_boxes(BOXES, np.ones(2))


def test_select_keeps_boxes_scores_and_landmarks_together() -> None:
    landmarks = np.arange(3 * 68 * 2, dtype=np.float32).reshape(3, 68, 2)
    found = Detections(BOXES, np.array([0.9, 0.5, 0.7]), landmarks).select(np.array([2, 0]))
    np.testing.assert_array_equal(found.boxes, BOXES[[2, 0]])
    np.testing.assert_array_equal(found.scores, np.float32([0.7, 0.9]))
    np.testing.assert_array_equal(found.landmarks, landmarks[[2, 0]])
    assert Detections.from_boxes(BOXES).select(np.array([1])).landmarks is None


@pytest.mark.parametrize("axes", [2, 3])
def test_boxes_of_landmarks_are_tight(axes: int) -> None:
    landmarks = np.random.default_rng(0).uniform(10, 90, (2, 68, axes))
    landmarks[0, :2, :2] = [[5, 7], [95, 99]]
    found = Detections.from_landmarks(landmarks)
    np.testing.assert_array_equal(found.boxes[0], [5, 7, 95, 99])
    np.testing.assert_array_equal(found.landmarks, landmarks[..., :2].astype(np.float32))
    assert found.scores.tolist() == [1, 1] and len(Detections.from_landmarks(np.zeros((0, 68, 2)))) == 0


def test_areas_and_overlap() -> None:
    np.testing.assert_array_equal(box_areas(BOXES), [100, 875, 200])
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 4, 4], [50, 50, 60, 60]])
    np.testing.assert_allclose(box_overlap(boxes, boxes[0]), [1, 1 / 3, 0, 0.04, 0])
    assert box_overlap(boxes[:0], boxes[0]).shape == (0,)
