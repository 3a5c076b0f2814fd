from dataclasses import replace

import numpy as np
import pytest

from ddfa.errors import ModelError


def test_decode_is_mean_plus_weighted_modes(toy_head):
    rng = np.random.default_rng(1)
    identity, expression = rng.normal(size=(2, 5)), rng.normal(size=(2, 3))
    expected = (
        toy_head.mean
        + np.einsum("ni,ivd->nvd", identity, toy_head.identity_basis)
        + np.einsum("ne,evd->nvd", expression, toy_head.expression_basis)
    )
    np.testing.assert_allclose(toy_head.decode(identity, expression), expected, atol=1e-3)


def test_missing_coefficients_count_as_zero(toy_head):
    short = toy_head.decode(np.ones((1, 2)), np.ones((1, 1)))
    full = toy_head.decode(np.array([[1, 1, 0, 0, 0]]), np.array([[1, 0, 0]]))
    np.testing.assert_array_equal(short, full)


def test_landmarks_and_subset_agree_with_the_dense_decode(toy_head):
    rng = np.random.default_rng(2)
    identity, expression = rng.normal(size=(3, 5)), rng.normal(size=(3, 3))
    dense = toy_head.decode(identity, expression)
    corners = dense[:, toy_head.landmark_vertices]
    expected = np.einsum("nkcd,kc->nkd", corners, toy_head.landmark_weights)
    np.testing.assert_allclose(toy_head.decode_landmarks(identity, expression), expected, atol=1e-3)
    some = np.array([4, 1, 7], np.int32)
    np.testing.assert_allclose(toy_head.subset(some).decode(identity, expression), dense[:, some], atol=1e-3)


def test_no_faces_decode_to_no_vertices(toy_head):
    assert toy_head.decode(np.zeros((0, 5)), np.zeros((0, 3))).shape == (0, 80, 3)


def test_too_many_coefficients_are_an_error(toy_head):
    with pytest.raises(ModelError, match="5 identity and 3 expression"):
        toy_head.decode(np.zeros((1, 6)), np.zeros((1, 3)))


def test_inconsistent_arrays_are_an_error(toy_head):
    with pytest.raises(ModelError, match="identity_basis"):
        replace(toy_head, identity_std=np.ones(4, np.float32), identity_mirror=None)
    with pytest.raises(ModelError, match="triangles points outside"):
        replace(toy_head, triangles=toy_head.triangles + 60)


def test_what_a_head_has_is_required_by_name(toy_head):
    uv, triangles = toy_head.require_texture("textures")
    assert uv is toy_head.uv and triangles is toy_head.uv_triangles
    with pytest.raises(ModelError, match="textures: head model 'toy' has no texture coordinates: use a bundle"):
        replace(toy_head, uv=None, uv_triangles=None).require_texture("textures")
    assert not toy_head.has_arkit
    with pytest.raises(ModelError, match="blendshapes: head model 'toy' has no ARKit blendshapes: use a bundle"):
        toy_head.require_arkit("blendshapes")


def test_landmarks_with_an_axis_of_another_vertex(toy_head):
    axes = np.repeat(np.arange(68, dtype=np.int32)[:, None], 3, axis=1)
    axes[44, 2] = 70
    points = replace(toy_head, landmark_axes=axes).decode_landmarks(np.ones((1, 5)), np.ones((1, 3)))[0]
    dense = toy_head.decode(np.ones((1, 5)), np.ones((1, 3)))[0]
    expected = dense[:68].copy()
    expected[44, 2] = dense[70, 2]
    np.testing.assert_allclose(points, expected, atol=1e-4)
