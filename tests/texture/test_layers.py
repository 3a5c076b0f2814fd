"""Layers of photos on the atlas: completion, hair, and several photos together."""

import numpy as np
import pytest

from ddfa.head.model import HeadModel
from ddfa.texture.atlas import atlas_of
from ddfa.texture.layers import Layer, continued_shading, hair_colour, join_layers, whole_head

SIZE = 256
SKIN = np.array([200, 150, 120], np.float32)


@pytest.fixture(scope="module")
def atlas():
    return atlas_of(HeadModel.load(), SIZE)


def frontal(atlas, skin=SKIN, hair=(60, 45, 35)):
    """A frontal photo without light: skin in the face and hair above it."""
    front = (atlas.position[..., 2] > 20) & atlas.skin
    is_hair = front & (atlas.hair > 0.5)
    is_skin = front & ~is_hair & (atlas.face > 0.5)
    albedo = np.where(is_hair[..., None], np.float32(hair), np.float32(skin)) * np.ones((SIZE, SIZE, 3), np.float32)
    none = np.zeros((SIZE, SIZE), np.float32)
    weights = [np.asarray(mask, np.float32) for mask in (is_skin, is_hair)]
    return Layer(albedo, *weights, none, np.maximum(*weights), np.ones_like(albedo))


def test_what_is_known_stays_and_the_rest_has_its_tone(atlas):
    layer = frontal(atlas)
    colours, _ = whole_head(layer, atlas)
    known = (layer.skin > 0) & (atlas.face > 0.9) & (atlas.hair < 0.1)
    np.testing.assert_allclose(colours[known], np.broadcast_to(SKIN, colours[known].shape), atol=1)
    neck = atlas.skin & (atlas.position[..., 1] < -90)
    np.testing.assert_allclose(colours[neck].mean(axis=0), SKIN, atol=12)


def test_the_back_of_the_head_has_the_hair_of_the_front(atlas):
    colours, _ = whole_head(frontal(atlas), atlas)
    back = atlas.skin & (atlas.position[..., 2] < -60) & (atlas.hair > 0.99)
    np.testing.assert_allclose(colours[back].mean(axis=0), (60, 45, 35), atol=6)


def test_a_bald_head_stays_bald(atlas):
    layer = frontal(atlas)
    bald = layer._replace(skin=np.maximum(layer.skin, layer.hair), hair=0 * layer.hair, albedo=0 * layer.albedo + SKIN)
    colours, _ = whole_head(bald, atlas)
    back = atlas.skin & (atlas.position[..., 2] < -60) & (atlas.hair > 0.99)
    np.testing.assert_allclose(colours[back].mean(axis=0), SKIN, atol=6)


def test_a_hidden_side_is_mirrored(atlas):
    layer = frontal(atlas)
    left = (atlas.position[..., 0] > 0).astype(np.float32)
    spotted = np.array(layer.albedo)
    spot = (atlas.face > 0.9) & (np.linalg.norm(np.abs(atlas.position) - [40, 20, 80], axis=2) < 12)
    spotted[spot] = 0.6 * SKIN
    colours, mirrored = whole_head(
        layer._replace(albedo=spotted, skin=layer.skin * left, hair=layer.hair * left), atlas
    )
    across = spot & (left == 0) & (mirrored > 0.9)
    assert across.sum() > 10
    np.testing.assert_allclose(np.median(colours[across], axis=0), 0.6 * SKIN, atol=5)


@pytest.mark.parametrize(
    ("colour", "natural"), [((60, 45, 35), True), ((70, 90, 160), False), ((235, 210, 130), False)]
)
def test_hats_do_not_set_the_colour_of_the_hair(atlas, colour, natural):
    layer = frontal(atlas, hair=colour)
    brows = np.where((atlas.brow_mm < 3)[..., None], np.float32([80, 60, 45]), layer.albedo)
    found = hair_colour(layer._replace(albedo=brows), SKIN, atlas)
    assert (np.abs(found - colour).max() < 3) == natural
    assert natural or found.max() < 85


def test_joined_photos_have_the_colours_of_the_first(atlas):
    first = frontal(atlas)
    left = (atlas.position[..., 0] > -10).astype(np.float32)
    right = (atlas.position[..., 0] < 10).astype(np.float32)
    other = first._replace(albedo=0.8 * first.albedo, skin=first.skin * right)
    joined = join_layers([first._replace(skin=first.skin * left), other])
    known = (joined.skin > 0.9) & (atlas.face > 0.9) & (atlas.hair < 0.1)
    assert np.abs(joined.albedo[known] - SKIN).mean() < 6


def test_shading_stays_where_it_is_known_and_softens_beyond(atlas):
    shading = np.full((SIZE, SIZE, 3), 0.5, np.float32)
    known = (atlas.face > 0.5).astype(np.float32)
    found = continued_shading(shading, shading, known)
    np.testing.assert_allclose(found[known > 0], 0.5, rtol=1e-3)
    assert found[atlas.skin & (atlas.position[..., 2] < -60)].min() > 0.53
