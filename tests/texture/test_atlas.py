import numpy as np
import pytest

from ddfa.errors import ModelError
from ddfa.head.model import HeadModel
from ddfa.raster.rasterize import vertex_normals
from ddfa.texture.atlas import Atlas, atlas_of, atlas_pixels


@pytest.fixture(scope="module")
def atlas():
    return Atlas(HeadModel.load(), 192)


def test_the_atlas_mirrors(atlas):
    mirrored = atlas.mirrored(atlas.position)
    safe = atlas.skin & (np.abs(atlas.position[..., 0]) > 3) & (atlas.face > 0.9)
    away = np.linalg.norm(mirrored[safe] * [-1, 1, 1] - atlas.position[safe], axis=-1)
    assert np.quantile(away, 0.99) < 0.3  # it jumps in folds alone
    assert np.isfinite(atlas.closed(atlas.position)).all()


def test_other_heads_cannot_be_textured(toy_head):
    with pytest.raises(ModelError, match="open head"):
        Atlas(toy_head)


def test_pixels_of_texture_coordinates():
    corners = np.array([[0, 1], [1, 0]], np.float32)  # top left and bottom right
    np.testing.assert_allclose(atlas_pixels(corners, 64), [[-0.5, -0.5], [63.5, 63.5]])


def test_normals_are_those_of_the_mesh(atlas):
    expected = vertex_normals(atlas.head.mean, atlas.head.triangles)
    np.testing.assert_allclose(atlas.normals(atlas.head.mean), expected, atol=1e-4)


def test_gaps_are_filled_and_texels_are_kept(atlas):
    texture = np.where(atlas.inside[..., None], 5.0, 0.0).astype(np.float32)
    np.testing.assert_array_equal(atlas.closed(texture), 5)


def test_distances_vanish_on_their_lines(atlas):
    points = atlas.head.landmark_points.mean
    place = np.linalg.norm(atlas.position - points[19], axis=-1)
    place[~atlas.skin] = np.inf
    texel = np.unravel_index(place.argmin(), place.shape)
    assert atlas.brow_mm[texel] <= place.min() + 1e-4 and atlas.mouth_mm[texel] > 40


def test_an_atlas_is_made_once(atlas):
    assert atlas_of(atlas.head, 64) is atlas_of(atlas.head, 64)
