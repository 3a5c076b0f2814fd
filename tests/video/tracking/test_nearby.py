"""A detector in a window around an expected face."""

import cv2
import numpy as np
import pytest

from ddfa.detect import Detections
from ddfa.detect.detections import box_overlap
from ddfa.detect.yunet import YuNet
from ddfa.images import read_image
from ddfa.video.tracking.nearby import NearbyDetector


@pytest.fixture(scope="module")
def photo(root):
    return read_image(root / "samples" / "astronaut.jpg")


@pytest.mark.parametrize("roll", [0, 90, 180])
def test_a_face_is_confirmed_at_any_roll(photo, roll: int) -> None:
    image = np.ascontiguousarray(np.rot90(photo, -roll // 90))
    box = YuNet()(photo).boxes[0]
    centre = cv2.transform(((box[:2] + box[2:]) / 2 - 255.5)[None, None], cv2.getRotationMatrix2D((0, 0), -roll, 1))
    half = (box[2:] - box[:2]).mean() / 2
    expected = np.concatenate([centre[0, 0] - half, centre[0, 0] + half]) + 255.5
    found = NearbyDetector(YuNet(score_threshold=0.3))(image, expected.astype(np.float32), roll)
    assert found is not None and box_overlap(found.boxes, expected)[0] > 0.6 and found.scores[0] > 0.5


def test_nothing_is_found_elsewhere_or_outside(photo) -> None:
    near = NearbyDetector(YuNet(score_threshold=0.3))
    assert near(photo, np.array([20, 380, 120, 480], np.float32)) is None
    assert near(photo, np.array([600, 600, 700, 700], np.float32)) is None
    assert NearbyDetector(lambda _: Detections.none())(photo, np.array([180, 60, 280, 190], np.float32)) is None
