import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddfa.head.model import HeadModel
from ddfa.raster.lighting import light_from, shading
from ddfa.texture.atlas import atlas_of
from ddfa.texture.light import GAMMA, take_off_light

SIZE = 128
SKIN = np.array([190.0, 140.0, 120.0], np.float32)


@pytest.fixture(scope="module")
def atlas():
    return atlas_of(HeadModel.load(), SIZE)


@pytest.fixture(scope="module")
def normals(atlas):
    return atlas.normals(atlas.head.mean)


def photographed(atlas, normals, light, albedo=SKIN):
    """The unwrapped colours of a face under a light, and what a camera in front of it sees."""
    factor = atlas.spread(shading(normals, light)) ** (1 / GAMMA)
    facing = np.clip(2 * atlas.spread(normals)[..., 2] - 0.4, 0, 1) * atlas.skin
    return np.asarray(np.clip(albedo * factor, 0, 255), np.float32), np.asarray(facing, np.float32)


def lamp(azimuth_deg, ambient=0.35):
    turn = np.deg2rad(azimuth_deg)
    return light_from([np.sin(turn), 0.3, np.cos(turn)] / np.sqrt(1.09), np.ones(3)) + ambient * np.eye(9)[:, :1]


@settings(max_examples=8, deadline=None)
@given(st.floats(-60, 60), st.floats(0.3, 1.0))
def test_even_skin_is_even_under_any_soft_light(azimuth, ambient):
    atlas = atlas_of(HeadModel.load(), SIZE)
    colours, trust = photographed(atlas, atlas.normals(atlas.head.mean), lamp(azimuth, ambient))
    found = take_off_light(colours, atlas.normals(atlas.head.mean), trust, atlas)
    seen = (trust > 0.5) & (atlas.plain > 0.9)
    assert (found.albedo[seen].std(axis=0) / found.albedo[seen].mean(axis=0)).max() < 0.06
    assert (colours[seen].std(axis=0) / colours[seen].mean(axis=0)).min() > 0.06
    np.testing.assert_allclose((found.albedo * found.shading)[seen], colours[seen], rtol=1e-4)


def test_a_shadow_and_a_highlight_on_one_side_are_light_and_a_beard_is_not(atlas, normals):
    x, y = atlas.position[..., 0], atlas.position[..., 1]
    albedo = np.where(atlas.beard[..., None] > 0.5, 0.5 * SKIN, SKIN)
    colours, trust = photographed(atlas, normals, lamp(0), albedo)
    cheek = (np.abs(np.abs(x) - 38) < 12) & (np.abs(y + 20) < 12) & (atlas.plain > 0.9)
    colours[(x > 25) & (y < 5)] *= 0.55
    colours[(np.abs(x + 20) < 8) & (y > 40)] *= 1.3
    albedo = take_off_light(colours, normals, trust, atlas).albedo.mean(axis=2)
    left, right = (np.median(albedo[cheek & side & (atlas.beard < 0.1)]) for side in (x > 30, x < -30))
    assert left == pytest.approx(right, rel=0.08)
    forehead = (atlas.plain > 0.9) & (y > 45) & (trust > 0.5)
    assert np.median(albedo[forehead & (np.abs(x + 20) < 6)]) == pytest.approx(np.median(albedo[forehead]), rel=0.1)
    chin = (atlas.beard > 0.9) & (trust > 0.5) & (x < 0) & (atlas.plain > 0.9)
    assert np.median(albedo[chin]) < 0.7 * right


def test_what_is_black_shows_no_skin(atlas, normals):
    colours, trust = photographed(atlas, normals, lamp(0))
    colours[atlas.position[..., 0] > 10] = 1
    lit = take_off_light(colours, normals, trust, atlas).lit
    assert lit[(atlas.position[..., 0] > 25) & (atlas.face > 0.9)].max() < 0.2
    assert np.median(lit[(atlas.position[..., 0] < -5) & (atlas.face > 0.9)]) > 0.9


def test_without_visible_skin_nothing_changes(atlas, normals):
    colours = np.full((SIZE, SIZE, 3), 100, np.float32)
    found = take_off_light(colours, normals, np.zeros((SIZE, SIZE), np.float32), atlas)
    np.testing.assert_array_equal(found.albedo, colours)
    np.testing.assert_array_equal(found.shading, 1)
