"""Visibility of texels, against a known occluder and known borders."""

from dataclasses import replace

import numpy as np
import pytest

from ddfa.head.model import HeadModel
from ddfa.texture.atlas import atlas_of
from ddfa.texture.visibility import DepthBuffer, VisibilityPolicy, texel_visibility

SIZE = 128
POLICY = VisibilityPolicy((0.2, 0.6))


@pytest.fixture(scope="module")
def atlas():
    return atlas_of(HeadModel.load(), SIZE)


@pytest.fixture(scope="module")
def vertices(atlas):
    """The frontal mean head in an image of 400 x 500 px."""
    return (atlas.head.mean * [1.2, -1.2, 1.2] + [200, 250, 0]).astype(np.float32)


def fields_of(atlas, vertices):
    normals = atlas.normals(vertices * [1, -1, 1])
    return atlas.spread(np.column_stack([vertices, normals[:, 2]]))


def visible(atlas, vertices, policy=POLICY, frame=(0, 0, 399, 499), triangles=None, mesh=None):
    triangles = atlas.head.triangles if triangles is None else triangles
    buffer = DepthBuffer.fitted(vertices if mesh is None else mesh, triangles, 420, reach=2, slack=(1, 3))
    return texel_visibility(fields_of(atlas, vertices), buffer, frame, atlas, policy)


def test_the_front_of_a_face_is_visible_and_its_back_is_not(atlas, vertices):
    weight = visible(atlas, vertices)
    facing, z = fields_of(atlas, vertices)[..., 3], atlas.position[..., 2]
    assert weight.min() >= 0 and weight.max() <= 1
    assert np.median(weight[(atlas.face > 0.95) & (facing > 0.8)]) > 0.99
    assert weight[atlas.skin & (z < -40)].max() == 0


def test_texels_outside_the_frame_are_not_visible(atlas, vertices):
    weight = visible(atlas, vertices, frame=(200, 0, 399, 499))
    x = fields_of(atlas, vertices)[..., 0]
    assert weight[x < 200].max() == 0 and weight[(x > 215) & (atlas.face > 0.95)].mean() > 0.5


def test_a_surface_in_front_hides_what_is_behind(atlas, vertices):
    square = np.array([[190, 0, 500], [400, 0, 500], [400, 500, 500], [190, 500, 500]], np.float32)
    count = len(vertices)
    mesh = np.concatenate([vertices, square])
    triangles = np.concatenate([atlas.head.triangles, np.array([[0, 1, 2], [0, 2, 3]], np.int32) + count])
    weight = visible(atlas, vertices, triangles=triangles, mesh=mesh)
    x = fields_of(atlas, vertices)[..., 0]
    assert weight[x > 195].max() == 0 and weight[(x < 180) & (x > 0)].max() == 1


def test_parts_and_distances_restrict_the_skin(atlas, vertices):
    everything, skin = visible(atlas, vertices), visible(atlas, vertices, replace(POLICY, parts="skin"))
    assert skin[~atlas.skin].max() == 0 and (everything[atlas.inner] > 0).any()
    closed = visible(atlas, vertices, replace(POLICY, parts="openings"))
    teeth = atlas.region("teeth") > 0.5
    assert closed[teeth].max() == 0, "the lips of the mean head are closed"
    away = visible(atlas, vertices, replace(POLICY, lids_mm=(3, 3), lips_mm=(2, 4)))
    assert away[(atlas.lid_mm <= 3) | (atlas.mouth_mm <= 2)].max() == 0
    far = (atlas.lid_mm > 20) & (atlas.mouth_mm > 20)
    np.testing.assert_allclose(away[far], everything[far], atol=1e-6)


def test_a_fitted_buffer_contains_the_mesh_wherever_it_is(atlas, vertices):
    buffer = DepthBuffer.fitted(vertices - [5000, 0, 0], atlas.head.triangles, 420, reach=0, slack=(1, 1))
    assert max(buffer.raster.depth.shape) in (421, 422) and buffer.raster.mask.any()
    x, y, _ = buffer.points(fields_of(atlas, vertices - np.float32([5000, 0, 0])))
    inside = atlas.inside
    assert x[inside].min() >= -0.5 and y[inside].max() <= 420.5
