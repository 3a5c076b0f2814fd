"""Eyes and mouth on the atlas: masks, and colours from a photo or without one."""

import numpy as np
import pytest

from ddfa.head.model import HeadModel
from ddfa.texture.atlas import atlas_of
from ddfa.texture.interior import inner_of

SIZE = 256


@pytest.fixture(scope="module")
def inner():
    return inner_of(atlas_of(HeadModel.load(), SIZE))


def test_parts_do_not_overlap(inner):
    masks = [eye.mask for eye in inner.eyes] + [inner.mouth, inner.tongue, inner.teeth]
    assert all(mask.any() for mask in masks) and np.sum(masks, axis=0).max() == 1


def test_an_eye_has_its_pupil_in_the_middle(inner):
    for eye in inner.eyes:
        assert eye.radius.min() < 0.2 and eye.radius.max() > 2
        assert np.abs(eye.around).max() <= np.pi


def test_eyes_are_white_with_a_dark_pupil_without_a_photo(inner):
    colours, visible = np.zeros((SIZE, SIZE, 3), np.float32), np.zeros((SIZE, SIZE), np.float32)
    painted = inner.paint(np.zeros((SIZE, SIZE, 3), np.float32), colours, visible)
    for eye in inner.eyes:
        brightness = painted[eye.mask].mean(axis=1)
        assert brightness[eye.radius < 0.25].max() < 20 and brightness[eye.radius > 1.3].min() > 180


def test_a_visible_eye_keeps_its_own_colours(inner):
    colours = np.full((SIZE, SIZE, 3), (40, 90, 160), np.float32)
    painted = inner.paint(np.zeros_like(colours), colours, np.ones((SIZE, SIZE), np.float32))
    for eye in inner.eyes:
        np.testing.assert_allclose(painted[eye.mask], colours[eye.mask])
