"""Completion of hidden texels, against textures that are known on both sides."""

import numpy as np
import pytest

from ddfa.head.model import HeadModel
from ddfa.texture.atlas import atlas_of
from ddfa.texture.completion import join_images, mirror_complete

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


def test_joined_images_have_the_brightness_of_the_first(atlas, truth, left):
    face = ((atlas.face > 0.5) & atlas.skin).astype(np.float32)
    colours, best = join_images([(truth, left), (0.5 * truth, face)], atlas)
    shown = (face > 0) & (atlas.face > 0.7)
    np.testing.assert_allclose(colours[shown], truth[shown], rtol=0.05)
    np.testing.assert_array_equal(best, np.maximum(left, face))
