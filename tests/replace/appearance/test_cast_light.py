"""Cast shadows and highlights on skin in smooth light."""

import cv2
import numpy as np
import pytest

from ddfa.replace.appearance.cast_light import cast_light, usual

SIDE = 200
SKIN = np.array([190.0, 140.0, 120.0], np.float32)


@pytest.fixture
def face() -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.float32)
    cv2.circle(mask, (100, 100), 85, 1.0, -1)
    return mask


def lit(factor: np.ndarray) -> np.ndarray:
    return np.clip(SKIN * factor[..., None], 0, 255).astype(np.uint8)


def expected() -> np.ndarray:
    return np.broadcast_to(np.log(SKIN / 255), (SIDE, SIDE, 3)).astype(np.float32)


def test_a_wide_shadow_is_found_and_ends_where_it_ends(face: np.ndarray) -> None:
    factor = np.ones((SIDE, SIDE), np.float32)
    factor[:, :80] = 0.5
    light = cast_light(lit(factor), expected(), face)
    assert light[100, 50] == pytest.approx(np.log(0.5), abs=0.08)
    assert abs(light[100, 120]) < 0.03 and light[100, 70] < -0.5


def test_folds_and_uneven_skin_are_not_light(face: np.ndarray) -> None:
    factor = np.ones((SIDE, SIDE), np.float32)
    factor[95:99, 60:140] = 0.4  # a fold
    factor[120:, :] = 0.95  # slightly darker skin
    assert np.abs(cast_light(lit(factor), expected(), face)).max() < 0.05


def test_shadows_continue_over_what_is_not_skin(face: np.ndarray) -> None:
    factor = np.full((SIDE, SIDE), 0.5, np.float32)
    image, free = lit(factor), face.copy()
    image[90:110, 90:110] = 255  # an eye, say
    free[88:112, 88:112] = 0
    assert cast_light(image, expected(), free)[100, 100] == pytest.approx(np.log(0.5), abs=0.1)


def test_nothing_is_concluded_without_skin(face: np.ndarray) -> None:
    assert not cast_light(lit(np.full((SIDE, SIDE), 0.3)), expected(), 0 * face).any()


def test_small_differences_are_usual() -> None:
    assert usual(np.float32([0.02, -0.02])) == pytest.approx([0.02, -0.02], rel=0.05)
    assert abs(usual(np.float32(1.0))) < 0.05
