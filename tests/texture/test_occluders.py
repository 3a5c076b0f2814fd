"""What hides the skin: occluders of a drawn face, frames of glasses, other colours."""

import numpy as np
import pytest

from ddfa.head.model import HeadModel
from ddfa.texture.atlas import atlas_of
from ddfa.texture.occluders import beard, beside_occluders, frames_of_glasses, skin_likeness

SIZE = 256
SKIN = np.array([200, 150, 120], np.float32)


@pytest.fixture(scope="module")
def atlas():
    return atlas_of(HeadModel.load(), SIZE)


def plain(atlas):
    return np.full((SIZE, SIZE, 3), SKIN, np.float32)


def test_frames_are_found_and_brows_are_not(atlas):
    eye = atlas.head.landmark_points.mean[36:42].mean(axis=0)
    away = np.linalg.norm((atlas.position - eye)[..., :2], axis=2)
    frame = (np.abs(away - 24) < 1.2) & (atlas.position[..., 1] < eye[1]) & (atlas.position[..., 2] > 30) & atlas.skin
    colours = plain(atlas)
    colours[frame | (atlas.brow_mm < 1.5)] = 40
    found = frames_of_glasses(colours, atlas)
    assert frame.sum() > 20 and found[frame].mean() > 0.7
    assert found[atlas.brow_mm < 1].max() < 0.3
    assert frames_of_glasses(plain(atlas), atlas).max() == 0


def test_hair_is_not_like_skin_and_shadow_is(atlas):
    visible, none = (atlas.face > 0.5).astype(np.float32), np.zeros((SIZE, SIZE), np.float32)
    colours = plain(atlas)
    neck, high = atlas.position[..., 1] < -90, atlas.hair > 0.5
    colours[neck], colours[high] = 0.8 * SKIN, (60, 45, 40)
    like = skin_likeness(colours, visible, atlas)
    assert like[neck & atlas.skin].mean() > 0.9 and like[atlas.hair > 0.9].mean() < 0.1
    assert skin_likeness(colours, none, atlas).min() == 1


def test_a_beard_is_told_from_bare_skin(atlas):
    skin = (atlas.face > 0.5).astype(np.float32)
    bearded = beard(1 - atlas.beard, skin, atlas)
    assert bearded[(atlas.beard > 0.9) & (atlas.face > 0.5)].min() > 0.8
    assert beard(np.ones_like(skin), skin, atlas).max() == 0


def test_plain_skin_beside_occluders_is_suspect_and_brows_are_not(atlas):
    """A hat that ends just above the brows."""
    height = atlas.position[..., 1]
    free = (height < atlas.brow_top + 4).astype(np.float32)
    beside = beside_occluders(free, atlas)
    assert beside[(atlas.plain > 0.95) & (np.abs(height - atlas.brow_top) < 4)].min() > 0.7
    assert beside[(atlas.brow_mm < 4) & (atlas.face > 0.9)].max() < 0.05
    assert beside[height < atlas.brow_top - 40].max() < 0.05
