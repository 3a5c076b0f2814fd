"""The occlusion matte covers what differs from skin in colour or is predicted by the network."""

import cv2
import numpy as np
import pytest

from ddfa.occlusion.matte import guided_filter, occlusion_matte
from ddfa.occlusion.skin_colour import log_colours

SIDE = 160
SKIN = (190, 140, 120)
NOTHING = np.zeros((1, 1), np.float32)


@pytest.fixture
def face() -> np.ndarray:
    """A disc, 1 where the face projects."""
    mask = np.zeros((SIDE, SIDE), np.float32)
    cv2.circle(mask, (SIDE // 2, SIDE // 2), 64, 1.0, -1)
    return mask


def skin_image() -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 3, (SIDE, SIDE, 3))
    return np.clip(np.array(SKIN) + noise, 0, 255).astype(np.uint8)


def matte_of(
    image: np.ndarray, face: np.ndarray, features: float = 0.0, probability: np.ndarray = NOTHING
) -> np.ndarray:
    expected = np.broadcast_to(log_colours(np.array(SKIN, np.float32)), image.shape).astype(np.float32)
    return occlusion_matte(image, expected, face, np.full(face.shape, features, np.float32), probability)


def test_bare_skin_has_no_occluder(face: np.ndarray) -> None:
    assert not (matte_of(skin_image(), face) > 0.01).any()


@pytest.mark.parametrize("colour", [(20, 30, 200), (10, 10, 10), (60, 160, 60)])
def test_an_object_of_another_colour_is_found_with_its_edges(face: np.ndarray, colour: tuple[int, int, int]) -> None:
    image = skin_image()
    image[80:, 60:100] = colour  # enters from below
    matte = matte_of(image, face)
    inside, outside = np.zeros(face.shape, bool), face > 0
    inside[84:, 64:96] = True
    interior = cv2.erode(face, np.ones((13, 13))) > 0  # the matte fades out at the edge of the face
    outside[76:, 56:104] = False
    assert matte[inside & interior].min() > 0.9 and matte[outside].max() < 0.05
    assert not matte[face == 0].any()


def test_small_spots_and_changes_of_light_are_skin(face: np.ndarray) -> None:
    image = skin_image()
    cv2.circle(image, (80, 70), 2, (30, 20, 20), -1)  # a mole
    image[:, :80] = (0.8 * image[:, :80]).astype(np.uint8)  # a mild shadow
    assert matte_of(image, face).max() < 0.1


def test_skin_cut_off_by_an_occluder_is_occluded_too(face: np.ndarray) -> None:
    image = skin_image()
    image[30:44] = (15, 15, 15)  # dark strands; above them blond hair of the colour of skin
    assert matte_of(image, face)[22:28, 70:90].min() > 0.9


def test_features_may_differ_more(face: np.ndarray) -> None:
    image = skin_image()
    image[60:75, 20:140] = (130, 75, 65)
    assert matte_of(image, face)[65:70, 40:120].min() > 0.5 > matte_of(image, face, features=1.0).max()


def test_the_network_adds_what_colour_does_not_show(face: np.ndarray) -> None:
    probability = np.zeros((SIDE // 2, SIDE // 2), np.float32)
    probability[40:, 30:50] = 1
    matte = matte_of(skin_image(), face, probability=probability)
    assert matte[90:130, 66:94].min() > 0.9 and matte[:70].max() < 0.05
    assert matte_of(skin_image(), face, probability=0.3 * probability).max() < 0.05


def test_the_guided_filter_keeps_edges_of_the_guide() -> None:
    guide = np.zeros((40, 60), np.float32)
    guide[:, 30:] = 1
    mask = np.zeros((40, 60), np.float32)
    mask[:, 33:] = 1  # 3 px off the edge of the image
    filtered = guided_filter(guide, mask, 8, 1e-4)
    assert filtered[:, 31].min() - filtered[:, 28].max() > 0.5  # the step is now at the edge of the guide
    flat = guided_filter(np.full_like(guide, 0.4), mask, 4, 1e-4)
    assert np.allclose(flat, cv2.blur(cv2.blur(mask, (9, 9)), (9, 9)), atol=1e-5)
