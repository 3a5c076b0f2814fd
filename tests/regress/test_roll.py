"""The roll network on the sample photos turned by any angle."""

import cv2
import numpy as np
import pytest

from ddfa.errors import ModelError
from ddfa.images import read_image
from ddfa.regress.roll import SIDE, UPRIGHT_DEG, WEIGHTS, RollNetwork, wrapped_deg

FACES = {"grace_hopper": (267, 240, 230), "astronaut": (225, 130, 125)}  # centre and side of the RoI, px


@pytest.fixture(scope="module")
def network():
    return RollNetwork(threads=1)


@pytest.mark.parametrize("name", FACES)
def test_turned_samples(root, network, name):
    photo, (x, y, side) = read_image(root / "samples" / f"{name}.jpg"), FACES[name]
    roi = np.array([[x - side / 2, y - side / 2, x + side / 2, y + side / 2]], np.float32)
    for angle in range(-180, 180, 30):
        # OpenCV counts anticlockwise.
        matrix = cv2.getRotationMatrix2D((x, y), -angle, 1)
        turned = np.asarray(cv2.warpAffine(photo, matrix, photo.shape[1::-1]), np.uint8)
        found = network(turned, roi)[0]
        if abs(angle) < UPRIGHT_DEG:
            assert found == 0 or abs(found) < UPRIGHT_DEG + 10
        else:
            assert abs(wrapped_deg(found - angle)) < 20, angle


def test_faces_do_not_depend_on_each_other(root, network):
    photo = read_image(root / "samples" / "test1.jpg")[::-1]
    roi = np.array([[144, 230, 391, 477], [680, 380, 826, 526], [-50, -50, 900, 900]], np.float32)
    together = network(photo, roi)
    assert together.shape == (3,) and together.dtype == np.float32
    np.testing.assert_allclose(together, [network(photo, one[None])[0] for one in roi], atol=1e-3)
    assert network(photo, roi[:0]).shape == (0,)


def test_altered_weights(tmp_path):
    (tmp_path / "roll.onnx").write_bytes(WEIGHTS.read_bytes()[:-1] + b"!")
    with pytest.raises(ModelError, match="SHA-256"):
        RollNetwork(weights=tmp_path / "roll.onnx")


def test_side_fits_the_strides():
    assert SIDE % 8 == 0


def test_wrapped():
    np.testing.assert_allclose(wrapped_deg([-190, 180, 0, 359, 540]), [170, -180, 0, -1, -180])
