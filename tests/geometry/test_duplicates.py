"""Every face once: overlap of landmarks and boxes, and the choice among duplicates."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ddfa.geometry.duplicates import covered_box, covered_landmarks, distinct_faces, inside_hull

POSITIONS = st.floats(-50, 50, width=32)


def ring(x: float, y: float, radius: float) -> np.ndarray:
    """68 points on circles around (x, y)."""
    angles, radii = np.linspace(0, 40, 68), radius * np.sqrt(np.linspace(0.05, 1, 68))
    return np.stack([x + radii * np.cos(angles), y + radii * np.sin(angles)], axis=1)


def square(x: float, y: float, radius: float) -> list[float]:
    return [x - radius, y - radius, x + radius, y + radius]


@given(arrays(np.float32, (6, 2), elements=POSITIONS), arrays(np.float32, (9, 2), elements=POSITIONS))
def test_inside_hull_agrees_with_opencv(points: np.ndarray, others: np.ndarray) -> None:
    hull = cv2.convexHull(others)
    distances = np.array([cv2.pointPolygonTest(hull, point.tolist(), True) for point in points])
    clear = np.abs(distances) > 1e-2  # the sign of points on the border is a matter of rounding
    np.testing.assert_array_equal(inside_hull(points, others)[clear], distances[clear] > 0)


@given(st.floats(-300, 300), st.floats(-300, 300), st.floats(0.2, 5), st.floats(0, 6))
def test_cover_does_not_depend_on_position_size_and_rotation(x: float, y: float, zoom: float, angle: float) -> None:
    face, others = ring(0, 0, 10), np.stack([ring(4, 3, 12), ring(50, 0, 10), ring(0, 0, 30)])
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    before = covered_landmarks(face, others)
    after = covered_landmarks(face @ turn.T + [x, y], others @ turn.T + [x, y])
    np.testing.assert_allclose(before, after, atol=2 / 68)
    assert before[1] == 0 and before[2] == 1 and 0.4 < before[0] < 1


def test_covered_box() -> None:
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [-5, -5, 15, 15]])
    np.testing.assert_allclose(covered_box(np.array([0, 0, 10, 10]), others), [1, 0.5, 0, 1])
    assert covered_box(np.array([0, 0, 10, 10]), others[:0]).shape == (0,)


def test_each_face_is_kept_once_and_the_better_one_stays() -> None:
    faces = [(0, 0, 10), (100, 0, 10), (4, 3, 6), (101, 0, 10), (30, 0, 10), (100, 0, 45)]
    scores = np.array([0.9, 0.7, 0.8, 0.95, 0.6, 0.5])
    landmarks = np.stack([ring(*face) for face in faces])
    boxes = np.array([square(*face) for face in faces])
    # 2 is a part of 0, 1 and 3 are the same, the box of 5 contains that of 3 although its landmarks are elsewhere.
    landmarks[5] = ring(160, 0, 10)
    np.testing.assert_array_equal(distinct_faces(landmarks, boxes, scores), [True, False, False, True, True, False])
    none = np.zeros((0, 68, 2)), np.zeros((0, 4)), np.zeros(0)
    assert distinct_faces(*none).shape == (0,)


def test_faces_cheek_to_cheek_are_two_faces() -> None:
    landmarks = np.stack([ring(0, 0, 10), ring(17, 0, 10)])
    boxes = np.array([square(0, 0, 11), square(17, 0, 11)])
    assert distinct_faces(landmarks, boxes, np.array([0.9, 0.6])).all()


def test_of_equal_scores_the_first_stays() -> None:
    landmarks, boxes = np.stack([ring(0, 0, 10)] * 2), np.array([square(0, 0, 10)] * 2)
    np.testing.assert_array_equal(distinct_faces(landmarks, boxes, np.ones(2)), [True, False])
