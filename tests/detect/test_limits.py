"""Which detected faces are wanted."""

import numpy as np
import pytest

from ddfa.detect.limits import FaceLimits
from ddfa.errors import DetectorError

BOXES = np.array([[0, 0, 20, 20], [0, 0, 10, 40], [0, 0, 10, 10]], np.float32)
SCORES = np.array([0.6, 0.9, 0.8], np.float32)


def test_all_faces_by_default() -> None:
    assert FaceLimits().accept(BOXES, SCORES).all()


def test_score_and_size() -> None:
    np.testing.assert_array_equal(FaceLimits(min_score=0.8).accept(BOXES, SCORES), [False, True, True])
    np.testing.assert_array_equal(FaceLimits(min_size=20).accept(BOXES, SCORES), [True, True, False])
    np.testing.assert_array_equal(FaceLimits(0.7, 15).accept(BOXES, SCORES), [False, True, False])
    assert FaceLimits(0.7, 15).accept(BOXES[:0], SCORES[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("values", "option"),
    [
        ({"min_score": 0}, "--min-score 0"),
        ({"min_score": 1.5}, "--min-score 1.5"),
        ({"min_score": float("nan")}, "--min-score nan"),
        ({"min_size": -1}, "--min-size -1"),
        ({"min_size": float("inf")}, "--min-size inf"),
        ({"max_faces": -2}, "--max-faces -2"),
        ({"min_quality": -0.1}, "--min-quality -0.1"),
        ({"min_quality": 1.1}, "--min-quality 1.1"),
    ],
)
def test_limits_out_of_range(values: dict, option: str) -> None:
    with pytest.raises(DetectorError, match=option):
        FaceLimits(**values)
