from types import SimpleNamespace

import numpy as np
import pytest

from ddfa.errors import ModelError
from ddfa.geometry.pose import matrix_from_euler
from ddfa.head.open import load_open_head
from ddfa.regress import regions as regions_module
from ddfa.regress.regions import (
    EYE_PLACES,
    EYE_UNITS,
    MOUTH_PLACES,
    MOUTH_UNITS,
    RegionNetworks,
    Regions,
    further_inputs,
    network_patches,
)

NAMES = load_open_head().expression_names
LEFT_BLINK, RIGHT_BLINK, INNER_UP = (NAMES.index(u) for u in ("eyeBlinkLeft", "eyeBlinkRight", "browInnerUp"))
JAW, CHEEKS = NAMES.index("jawOpen"), NAMES.index("cheekPuff")


class FakeNetwork:
    """Says that an eye is as closed, and a jaw as open, as its patch is bright."""

    def __init__(self, units: tuple[str, ...], places: int, log_error: float = -4.0) -> None:
        self.units, self.width, self.log_error = units, len(units) + places + 1, log_error
        self.seen: list[np.ndarray] = []

    def get_outputs(self):
        return [SimpleNamespace(shape=["n", self.width])]

    def run(self, _, inputs):
        patches, further = inputs["patches"], inputs["further"]
        assert patches.dtype == further.dtype == np.float32
        self.seen.append(further)
        out = np.zeros((len(patches), self.width), np.float32)
        brightness = (patches.mean(axis=(1, 2, 3)) * 128 + 127.5) / 255
        for unit in {"eyeBlink", "browInnerUp", "jawOpen"} & set(self.units):
            out[:, self.units.index(unit)] = brightness
        out[:, -1] = self.log_error
        return [out]


@pytest.fixture
def fakes(monkeypatch):
    networks = [FakeNetwork(EYE_UNITS, EYE_PLACES), FakeNetwork(MOUTH_UNITS, MOUTH_PLACES)]
    waiting = list(networks)
    monkeypatch.setattr(regions_module, "_open", lambda *_: waiting.pop(0))
    return RegionNetworks(NAMES), networks


def _face(centre: tuple[float, float], distance: float = 60.0) -> np.ndarray:
    points = np.zeros((68, 3))
    points[36:42, 0], points[42:48, 0] = -distance / 2, distance / 2
    points[31:36, 1] = 0.7 * distance
    points[:, :2] += centre
    return points


def _image(winking: str) -> np.ndarray:
    """Black but for the half of the picture in which an eye lies."""
    image = np.zeros((300, 400, 3), np.uint8)
    image[:, 200:] = 255 if winking == "left" else 0
    image[:, :200] = 255 if winking == "right" else 0
    return image


@pytest.mark.parametrize(("side", "closed", "open_"), [("left", 0, 1), ("right", 1, 0)])
def test_each_eye_speaks_for_its_own_side(fakes, side, closed, open_):
    networks, _ = fakes
    result = networks(_image(side), _face((200, 150))[None], np.eye(3)[None], np.zeros((1, 52)))
    blinks = result.units[0, [LEFT_BLINK, RIGHT_BLINK]]
    assert blinks[closed] > 0.9 and blinks[open_] < 0.1
    assert result.units[0, INNER_UP] == pytest.approx(blinks.mean(), abs=1e-6)
    assert result.confidence[0, LEFT_BLINK] > 0.9 and result.confidence[0, JAW] > 0.9
    assert result.confidence[0, CHEEKS] == 0 and result.units[0, CHEEKS] == 0


def test_faces_are_looked_at_together_and_alone_alike(fakes):
    networks, (eye, _) = fakes
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    faces = np.stack([_face((120, 100), 40), _face((260, 150), 70), _face((200, 160), 30)])
    rotation, first = matrix_from_euler(np.array([[0, 0, 0], [20, 5, 0], [-30, 0, 5.0]])), np.zeros((3, 52))
    together = networks(image, faces, rotation, first)
    assert len(eye.seen) == 1
    for k in range(3):
        alone = networks(image, faces[k : k + 1], rotation[k : k + 1], first[k : k + 1])
        np.testing.assert_allclose(alone.units[0], together.units[k], atol=1e-6)
        np.testing.assert_allclose(alone.pupils[0], together.pupils[k], atol=1e-3)


def test_no_face_is_no_error(fakes):
    networks, _ = fakes
    result = networks(_image("left"), np.zeros((0, 68, 3)), np.zeros((0, 3, 3)), np.zeros((0, 52)))
    assert result.units.shape == (0, 52) and result.pupils.shape == (0, 2, 2) and result.lip_opening.shape == (0,)


def test_pupils_in_the_middle_of_their_patches_lie_a_little_above_the_eyes(fakes):
    networks, _ = fakes
    result = networks(_image("left"), _face((200, 150))[None], np.eye(3)[None], np.zeros((1, 52)))
    above = 0.12 * 0.95 * 60
    np.testing.assert_allclose(result.pupils[0], [[230, 150 - above], [170, 150 - above]], atol=1e-3)


def test_small_patches_and_hidden_eyes_are_left_to_the_first_network(fakes):
    networks, _ = fakes
    faces = np.stack([_face((200, 150), 15), _face((200, 150), 60), _face((200, 150), 60)])
    rotation = matrix_from_euler(np.array([[0, 0, 0], [55.0, 0, 0], [-55.0, 0, 0]]))
    result = networks(_image("left"), faces, rotation, np.zeros((3, 52)))
    known = result.confidence[:, [LEFT_BLINK, RIGHT_BLINK]] > 0
    # A face that turns to the image left (yaw > 0) hides its right eye.
    np.testing.assert_array_equal(known, [[False, False], [True, False], [False, True]])
    assert result.confidence[0, JAW] > 0  # the mouth's patch is larger


def test_merging_trusts_regions_as_far_as_they_are_sure():
    units, sure = np.full((1, 3), 0.8, np.float32), np.array([[0.9, 0.27, 0.0]], np.float32)
    none = np.zeros((1, 2), np.float32)
    merged = Regions(units, sure, np.zeros((1, 2, 2), np.float32), none, none[:, 0]).merged(np.zeros((1, 3)), 0.36)
    np.testing.assert_allclose(merged, [[0.8, 0.4, 0.0]], atol=1e-6)


def test_further_inputs_of_a_mirrored_face_are_alike():
    rotation = matrix_from_euler(np.array([[25.0, 10.0, 0.0]]))
    flipped = matrix_from_euler(np.array([[-25.0, 10.0, 0.0]]))
    units, zoom = np.array([[0.3, 2.0]]), np.array([1.5])
    plain, other = further_inputs(units, rotation, zoom), further_inputs(units, flipped, zoom, mirror=True)
    np.testing.assert_allclose(plain, other, atol=1e-6)
    assert plain.shape == (1, 6) and plain[0, 1] == 1.5 and plain[0, -1] == 1


def test_pixels_are_normalised_as_for_the_first_network():
    patches = np.array([0, 255], np.uint8).repeat(48).reshape(2, 4, 4, 3)
    np.testing.assert_allclose(network_patches(patches)[:, 0, 0, 0], [-127.5 / 128, 127.5 / 128])


def test_missing_networks_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"eye\.onnx"):
        RegionNetworks(NAMES, tmp_path)
