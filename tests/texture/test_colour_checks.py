"""Colour tests on faces of one colour with a known foreign patch."""

import numpy as np
import pytest

from ddfa.head.model import HeadModel
from ddfa.texture.atlas import atlas_of
from ddfa.texture.colour_checks import grazing_trust, hair_colour, skin_mask

SIZE, SKIN, BLUE = 192, np.float32([0.8, 0.6, 0.5]), np.float32([0.2, 0.3, 0.9])


@pytest.fixture(scope="module")
def atlas():
    return atlas_of(HeadModel.load(), SIZE)


@pytest.fixture(scope="module")
def forehead(atlas):
    return (atlas.position[..., 1] > atlas.brow_top + 10) & (atlas.face > 0.05)


def test_background_is_rejected_at_grazing_angles_only(atlas):
    visible = np.ones((SIZE, SIZE), np.float32)
    cheek = (atlas.face > 0.5) & (atlas.position[..., 0] > 40) & (atlas.beard < 0.01) & (atlas.hair < 0.05)
    assert cheek.any()
    colours = 255 * np.where(cheek[..., None], BLUE, SKIN)
    slanted, frontal = (grazing_trust(colours, visible, np.full_like(visible, f), atlas) for f in (0.3, 0.95))
    assert np.quantile(slanted[cheek], 0.9) < 0.25 and frontal.min() == 1
    nose = (atlas.face > 0.9) & (np.abs(atlas.position[..., 0]) < 10)
    assert slanted[nose].min() > 0.9


def test_hair_over_the_forehead_is_not_skin_and_has_its_colour(atlas, forehead):
    visible = (atlas.face > 0.05).astype(np.float32)
    reflectance = np.where(forehead[..., None], np.float32([0.1, 0.07, 0.05]), SKIN).astype(np.float32)
    mask = skin_mask(reflectance, visible, atlas)
    inside = forehead & (atlas.position[..., 1] > atlas.brow_top + 14)
    cheeks = (atlas.face > 0.9) & (atlas.position[..., 1] < 0) & (atlas.lips < 0.05)
    assert mask[inside].mean() < 0.05 and mask[cheeks].mean() > 0.99
    hair = hair_colour(reflectance, visible * (1 - mask), atlas)
    np.testing.assert_allclose(hair, [0.1, 0.07, 0.05], atol=1e-6)
    assert hair_colour(reflectance, np.zeros_like(visible), atlas) is None


def test_without_visible_skin_nothing_is_rejected(atlas):
    nothing = np.zeros((SIZE, SIZE), np.float32)
    colours = np.zeros((SIZE, SIZE, 3), np.float32)
    assert grazing_trust(colours, nothing, nothing, atlas).min() == 1
    assert skin_mask(colours, nothing, atlas).min() == 1
