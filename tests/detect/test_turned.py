"""Detection in turned copies."""

import numpy as np
import pytest

from ddfa.detect import Detections
from ddfa.detect.turned import best_of, detect_turned, unturned

BOX = (12, 20, 30, 28)  # x0 y0 x1 y1, the bright pixels of the image


def bright(image: np.ndarray) -> Detections:
    """A detector of bright pixels, with their corners as landmarks."""
    rows, columns = np.nonzero(image[..., 0])
    box = np.array([[columns.min(), rows.min(), columns.max(), rows.max()]], np.float32)
    return Detections(box, np.ones(1), np.tile(box[:, None, :2], (1, 68, 1)))


@pytest.mark.parametrize("quarters", range(4))
def test_boxes_and_landmarks_are_those_of_the_image(quarters: int) -> None:
    image = np.zeros((50, 80, 3), np.uint8)
    image[BOX[1] : BOX[3] + 1, BOX[0] : BOX[2] + 1] = 9
    found = detect_turned(bright, image, quarters)
    np.testing.assert_array_equal(found.boxes[0], BOX)
    corner = [(12, 20), (30, 20), (30, 28), (12, 28)][quarters]
    np.testing.assert_array_equal(found.landmarks[0, 0], corner)


@pytest.mark.parametrize("quarters", range(4))
def test_every_pixel_returns_to_its_place(quarters: int) -> None:
    image = np.arange(15).reshape(3, 5)
    turned = np.rot90(image, quarters)
    rows, columns = np.indices(turned.shape).reshape(2, -1)
    points = unturned(np.stack([columns, rows], axis=1).astype(np.float32), quarters, image.shape).astype(int)
    np.testing.assert_array_equal(image[points[:, 1], points[:, 0]], turned.ravel())


def test_the_better_of_two_passes_is_kept() -> None:
    first = Detections(np.array([[0, 0, 10, 10], [50, 0, 60, 10]], np.float32), np.array([0.7, 0.9]))
    second = Detections(
        np.array([[1, 1, 11, 11], [51, 1, 61, 11], [90, 0, 99, 9]], np.float32), np.array([0.8, 0.6, 0.7])
    )
    joined = best_of([first, second])
    np.testing.assert_array_equal(joined.boxes[:, 0], [50, 1, 90])
    np.testing.assert_array_equal(joined.scores, np.float32([0.9, 0.8, 0.7]))
    assert len(best_of([Detections.none(), first])) == 2 and len(best_of([Detections.none()] * 2)) == 0
