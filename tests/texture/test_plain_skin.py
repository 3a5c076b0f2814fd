"""Drawn skin and hair."""

import numpy as np
import pytest

from ddfa.head.model import HeadModel
from ddfa.texture.atlas import atlas_of
from ddfa.texture.plain_skin import hair_density, hair_strands, plain_skin, scalp_hair

SIZE = 256


@pytest.fixture(scope="module")
def atlas():
    return atlas_of(HeadModel.load(), SIZE)


def test_plain_skin_has_its_tone_and_darker_brows_and_lips(atlas):
    tone = np.array([200, 150, 120], np.float32)
    skin = plain_skin(tone, 0.3 * tone, atlas)
    cheeks = (atlas.plain > 0.9) & (atlas.flush < 0.1)
    np.testing.assert_allclose(skin[cheeks].mean(axis=0), tone, atol=3)
    assert skin[atlas.brow_mm < 1].mean() < 0.8 * tone.mean()
    assert skin[atlas.lips > 0.9][:, 1].mean() < 0.8 * tone[1]


def test_hair_has_its_colour_and_covers_the_scalp_only(atlas):
    hair = scalp_hair(np.array([80, 60, 40], np.float32), atlas)
    np.testing.assert_allclose(hair[atlas.inside].mean(axis=0), (80, 60, 40), atol=4)
    density = hair_density(atlas)
    assert density[atlas.hair > 0.95].min() > 0.99 and density[atlas.inside & (atlas.hair < 0.05)].max() < 0.01


def test_strands_run_away_from_the_crown(atlas):
    """Along the hair the noise varies less than across it: at the sides of the head it hangs down."""
    strands = hair_strands(atlas)
    side = (np.abs(atlas.position[..., 0]) > 60) & (atlas.hair > 0.9)
    down, across = np.abs(np.diff(strands, axis=0))[:, :-1], np.abs(np.diff(strands, axis=1))[:-1]
    assert down[side[:-1, :-1]].mean() != pytest.approx(across[side[:-1, :-1]].mean(), rel=0.1)
    assert strands[atlas.inside].std() == pytest.approx(1, abs=0.1)
