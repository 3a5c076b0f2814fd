"""Completion of hidden texels, against textures that are known on both sides."""

import numpy as np
import pytest

from ddfa.head.model import HeadModel
from ddfa.texture.atlas import atlas_of
from ddfa.texture.completion import colour_gain, join_images, mirror_complete, paint_hidden

SIZE = 128


@pytest.fixture(scope="module")
def atlas():
    return atlas_of(HeadModel.load(), SIZE)


@pytest.fixture(scope="module")
def truth(atlas):
    """A texture that is the same on both sides of the head."""
    _, y, z = np.moveaxis(atlas.position, -1, 0)
    return np.stack([140 + 0.5 * y, 120 + 0.3 * z, 100 - 0.3 * y], axis=-1).astype(np.float32)


@pytest.fixture(scope="module")
def left(atlas):
    """Only the subject's left half of the face is visible."""
    return ((atlas.face > 0.5) & atlas.skin & (atlas.position[..., 0] > 0)).astype(np.float32)


def test_hidden_texels_are_those_of_the_other_side(atlas, truth, left):
    completed = mirror_complete(truth * left[..., None], left, atlas)
    right = (atlas.face > 0.9) & atlas.skin & (atlas.position[..., 0] < -4)
    assert completed.mirrored[right].min() > 0.5 and completed.own[right].max() == 0
    assert np.quantile(np.abs(completed.colours - truth)[right], 0.95) < 2
    np.testing.assert_allclose(completed.colours[left > 0], truth[left > 0], atol=1e-3)
    assert completed.weight.max() <= 1 + 1e-6


def test_only_chosen_texels_are_filled(atlas, truth, left):
    none = mirror_complete(truth, left, atlas, within=np.zeros_like(atlas.skin))
    assert none.mirrored.max() == 0


def test_the_other_side_is_brought_to_the_colours_of_this_side(atlas, truth):
    """The right side is half as bright; where both are visible, the gain is learnt."""
    face = ((atlas.face > 0.5) & atlas.skin).astype(np.float32)
    x = atlas.position[..., 0]
    dark = np.where(x[..., None] < 0, 0.6 * truth, truth)
    visible = face * np.where(x < 0, 0.5, 1).astype(np.float32)
    near = (atlas.face > 0.9) & (x < -5)
    plain, matched = (mirror_complete(dark, visible, atlas, match_colours=match) for match in (False, True))
    away = [np.abs(c.colours - dark)[near].mean() for c in (plain, matched)]
    assert away[1] < 0.75 * away[0]


def test_every_texel_gets_a_colour(atlas, truth, left):
    completed = mirror_complete(truth, left, atlas)
    painted = paint_hidden(completed, truth, left, atlas)
    assert np.isfinite(painted).all() and painted[atlas.inside].min() >= 0
    back = atlas.skin & (atlas.position[..., 2] < -60) & (atlas.hair > 0.99)
    hair = np.median(truth[(left > 0.3) & (atlas.hair > 0.3)], axis=0)
    np.testing.assert_allclose(painted[back].mean(axis=0), hair, atol=6)


def test_a_gain_is_found_and_bounded():
    both = np.ones((64, 64), np.float32)
    colours = np.full((64, 64, 3), 100, np.float32)
    np.testing.assert_allclose(colour_gain(colours, colours / 1.5, both), 1.5, atol=0.06)
    assert colour_gain(colours, colours / 50, both).max() <= 2
    np.testing.assert_array_equal(colour_gain(colours, colours, np.zeros_like(both)), 1)


def test_joined_images_have_the_brightness_of_the_first(atlas, truth, left):
    face = ((atlas.face > 0.5) & atlas.skin).astype(np.float32)
    colours, best = join_images([(truth, left), (0.5 * truth, face)], atlas)
    shown = (face > 0) & (atlas.face > 0.7)
    np.testing.assert_allclose(colours[shown], truth[shown], rtol=0.05)
    np.testing.assert_array_equal(best, np.maximum(left, face))
