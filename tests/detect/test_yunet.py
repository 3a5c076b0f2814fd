"""YuNet on the sample photos, at many sizes."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ddfa.detect.detections import Detections, box_overlap
from ddfa.detect.yunet import NMS_OVERLAP, WEIGHTS, YuNet, improved, merge_passes
from ddfa.detect.yunet_network import YuNetNetwork
from ddfa.errors import DetectorError
from ddfa.images import read_image

HOPPER = (177, 112, 359, 329)
ASTRONAUT = (178, 62, 271, 176)


@pytest.fixture(scope="module")
def yunet() -> YuNet:
    return YuNet()


@pytest.fixture(scope="module")
def hopper(root: Path) -> np.ndarray:
    return read_image(root / "samples" / "grace_hopper.jpg")


@pytest.fixture(scope="module")
def astronaut(root: Path) -> np.ndarray:
    return read_image(root / "samples" / "astronaut.jpg")


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = np.prod(np.clip(high - low, 0, None))
    return float(shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared))


def test_samples(yunet: YuNet, hopper: np.ndarray, astronaut: np.ndarray) -> None:
    for image, expected in ((hopper, HOPPER), (astronaut, ASTRONAUT)):
        found = yunet(image)
        assert len(found) == 1 and found.scores[0] > 0.8
        assert overlap(found.boxes[0], np.array(expected)) > 0.8


def test_largest_first(yunet: YuNet, root: Path) -> None:
    found = yunet(read_image(root / "samples" / "test1.jpg"))
    assert len(found) == 2
    assert found.boxes[0, 0] < 400 < found.boxes[1, 0]


@pytest.mark.parametrize("scale", [0.08, 0.3, 3.0, 8.0])
def test_image_size_does_not_matter(yunet: YuNet, hopper: np.ndarray, scale: float) -> None:
    image = cv2.resize(
        hopper, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    found = yunet(image)
    assert len(found) == 1
    assert overlap(found.boxes[0] / scale, np.array(HOPPER)) > 0.6


def test_small_face_in_a_large_image(yunet: YuNet, astronaut: np.ndarray) -> None:
    image = np.full((2000, 3000, 3), 90, np.uint8)
    image[1200:1712, 2000:2512] = astronaut
    found = yunet(image)
    assert len(found) == 1
    assert overlap(found.boxes[0] - [2000, 1200, 2000, 1200], np.array(ASTRONAUT)) > 0.6


@pytest.mark.parametrize("max_side", [1024, 2200])
def test_default_finds_what_the_exact_search_finds(astronaut: np.ndarray, hopper: np.ndarray, max_side: int) -> None:
    image = np.full((1500, 2000, 3), 110, np.uint8)
    x = y = 20
    for number, face in enumerate((300, 200, 140, 100, 70, 50, 40, 34, 28, 24)):
        photo, size = ((astronaut[0:250, 100:350], 115), (hopper[60:400, 100:440], 217))[number % 2]
        scale = face / size
        small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if x + small.shape[1] > 2000:
            x, y = 20, y + 660
        image[y : y + len(small), x : x + small.shape[1]] = small
        x += small.shape[1] + 60
    wanted = YuNet(max_side=max_side, exact=True)(image)
    found = YuNet(max_side=max_side)(image)
    assert len(wanted) == len(found) >= 9
    assert all(box_overlap(found.boxes, box).max() > 0.55 for box in wanted.boxes)


def test_crowds_are_searched_as_a_whole(hopper: np.ndarray) -> None:
    small = cv2.resize(hopper, (60, 70), interpolation=cv2.INTER_AREA)
    crowd = np.tile(small, (15, 18, 1))
    found, wanted = YuNet()(crowd), YuNet(exact=True)(crowd)
    assert len(found) > 200
    np.testing.assert_array_equal(found.boxes, wanted.boxes)
    np.testing.assert_array_equal(found.scores, wanted.scores)


def test_small_images_are_searched_as_a_whole(astronaut: np.ndarray) -> None:
    small = cv2.resize(astronaut, (380, 380), interpolation=cv2.INTER_AREA)
    found, wanted = YuNet()(small), YuNet(exact=True)(small)
    np.testing.assert_array_equal(found.boxes, wanted.boxes)
    np.testing.assert_array_equal(found.scores, wanted.scores)


def test_panorama(yunet: YuNet, hopper: np.ndarray) -> None:
    image = np.full((600, 20000, 3), 90, np.uint8)
    image[:, 15000:15512] = hopper
    found = yunet(image)
    assert len(found) == 1
    assert overlap(found.boxes[0] - [15000, 0, 15000, 0], np.array(HOPPER)) > 0.6


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1), (7, 5), (500, 500)])
def test_no_face(yunet: YuNet, shape: tuple[int, int]) -> None:
    assert len(yunet(np.zeros((*shape, 3), np.uint8))) == 0


def test_merged_passes_contain_each_face_once() -> None:
    coarse = Detections.from_boxes(np.array([[0, 0, 100, 100]]))
    fine = Detections.from_boxes(np.array([[5, 5, 95, 95], [20, 20, 40, 40], [200, 0, 220, 25]]))
    np.testing.assert_array_equal(merge_passes(coarse, fine).boxes, [[0, 0, 100, 100], [200, 0, 220, 25]])
    assert len(merge_passes(Detections.none(), fine)) == 3
    assert len(merge_passes(coarse, Detections.none())) == 1


def test_the_better_view_of_a_face_replaces_the_other() -> None:
    coarse = Detections.from_boxes(np.array([[0, 0, 100, 100], [200, 0, 300, 100]]), np.array([0.7, 0.8]))
    fine = Detections.from_boxes(
        np.array([[2, 0, 98, 100], [20, 20, 50, 50], [202, 0, 298, 100]]), np.array([0.9, 0.95, 0.7])
    )
    found = improved(coarse, fine)
    np.testing.assert_array_equal(found.boxes, [[2, 0, 98, 100], [200, 0, 300, 100]])
    np.testing.assert_allclose(found.scores, [0.9, 0.8])
    assert len(improved(Detections.none(), fine)) == 0


@pytest.mark.parametrize("size", [(512, 600), (320, 320), (333, 251), (97, 700), (31, 33)])
@pytest.mark.parametrize("threshold", [0.6, 0.02])
def test_faces_agree_with_opencv(root: Path, size: tuple[int, int], threshold: float) -> None:
    names = ("test1", "grace_hopper", "astronaut")
    sheet = np.concatenate([cv2.resize(read_image(root / "samples" / f"{name}.jpg"), (400, 400)) for name in names])
    image = np.asarray(cv2.resize(sheet, size, interpolation=cv2.INTER_AREA), np.uint8)
    content = WEIGHTS.read_bytes()
    buffer, none = np.frombuffer(content, np.uint8), np.zeros(0, np.uint8)
    opencv = cv2.FaceDetectorYN.create("onnx", buffer, none, size, threshold, NMS_OVERLAP, 5000)
    found = opencv.detect(image[..., ::-1])[1]
    wanted = np.zeros((0, 15), np.float32) if found is None else found
    boxes, scores = YuNetNetwork(content, threshold, NMS_OVERLAP, threads=1)(image)
    assert len(boxes) == len(wanted) and (threshold > 0.1 or len(boxes))
    sides = boxes[:, 2:] - boxes[:, :2]
    np.testing.assert_allclose(np.concatenate([boxes[:, :2], sides], axis=1), wanted[:, :4], atol=5e-3)
    np.testing.assert_allclose(scores, wanted[:, 14], atol=1e-4)


def test_altered_weights(tmp_path: Path) -> None:
    altered = tmp_path / "yunet.onnx"
    altered.write_bytes(WEIGHTS.read_bytes()[:-1] + b"!")
    with pytest.raises(DetectorError, match="SHA-256"):
        YuNet(weights=altered)
    with pytest.raises(DetectorError, match="reinstall"):
        YuNet(weights=tmp_path / "missing.onnx")


def test_licence_ships_with_the_weights() -> None:
    assert "Shiqi Yu" in (WEIGHTS.parent / "LICENSE.yunet").read_text()
