"""Which of several results in one image show the same face: at most one of them is kept.

Detectors report a face twice where a part of it (an eye, a cheek with an ear) looks like a smaller face. The network
then fits the head to whatever is in the second RoI, and its landmarks end up on top of those of the first face.
"""

from typing import Final

import numpy as np

from ddfa.arrays import Bools, Float64, Floats

# Share of a face's landmarks inside the outline of another face from which the two are the same face. Faces cheek to
# cheek reach 0.2; a face of which so much is hidden by the one in front is hardly fitted correctly anyway.
SAME_LANDMARKS: Final = 0.4
# Share of the area of the smaller of two boxes that both cover, from which the two are the same face.
SAME_BOX: Final = 0.7


def distinct_faces(landmarks: Floats, boxes: Floats, scores: Floats) -> Bools:
    """Find the faces to keep if every face shall appear once.

    A face is dropped if one with a higher score covers it, by its landmarks or by its box; of equal scores, the first
    face is kept.

    Args:
        landmarks: (n, 68, 2 or more) of each result, image px.
        boxes: (n, 4) x0, y0, x1, y1 of the detector, image px.
        scores: (n,) higher is better.

    Returns:
        (n,) bool, in the order of the input.
    """
    kept: list[int] = []
    for face in np.argsort(-np.asarray(scores), kind="stable").tolist():
        covered = covered_landmarks(landmarks[face], landmarks[kept]) >= SAME_LANDMARKS
        if not (covered | (covered_box(boxes[face], boxes[kept]) >= SAME_BOX)).any():
            kept.append(face)
    mask = np.zeros(len(scores), np.bool_)
    mask[kept] = True
    return mask


def covered_landmarks(landmarks: Floats, others: Floats) -> Float64:
    """Compute how much of a face lies on top of each other face.

    Args:
        landmarks: (K, 2 or more) of the face, image px.
        others: (m, K, 2 or more) of the other faces, image px.

    Returns:
        (m,) share of the face's landmarks inside the convex hull of the other face's, 0 to 1.
    """
    points = np.asarray(landmarks, np.float64)[:, :2]
    shares = np.zeros(len(others))
    for index, other in enumerate(np.asarray(others, np.float64)[..., :2]):
        apart = (points.max(axis=0) < other.min(axis=0)) | (points.min(axis=0) > other.max(axis=0))
        shares[index] = 0 if apart.any() else inside_hull(points, other).mean()
    return shares


def inside_hull(points: Floats, others: Floats) -> Bools:
    """Tell which points (K, 2) are inside the convex hull of other points (m, 2)."""
    # From outside, all points of the hull are within less than half a turn.
    offsets = np.asarray(others, np.float64)[None] - np.asarray(points, np.float64)[:, None]
    angles = np.sort(np.arctan2(offsets[..., 1], offsets[..., 0]), axis=1)
    around = np.concatenate([angles, angles[:, :1] + 2 * np.pi], axis=1)
    return np.asarray(np.diff(around, axis=1).max(axis=1) <= np.pi)


def covered_box(box: Floats, others: Floats) -> Float64:
    """Compute how much of the smaller of two boxes both cover.

    Args:
        box: (4,) x0, y0, x1, y1 in image px.
        others: (m, 4).

    Returns:
        (m,) area of the intersection divided by the smaller area, 0 to 1.
    """
    box, others = np.asarray(box, np.float64), np.asarray(others, np.float64).reshape(-1, 4)
    sides = np.minimum(others[:, 2:], box[2:]) - np.maximum(others[:, :2], box[:2])
    smaller = np.minimum(np.prod(others[:, 2:] - others[:, :2], axis=1), np.prod(box[2:] - box[:2]))
    return np.asarray(np.prod(np.clip(sides, 0, None), axis=1) / np.maximum(smaller, 1e-9))
