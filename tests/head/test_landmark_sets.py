import numpy as np
import pytest

from ddfa.data.pseudo_labels.points_teacher import WFLW_INNER
from ddfa.errors import ModelError
from ddfa.head.landmark_sets import LANDMARK_SETS, landmark_set, mesh_set
from ddfa.head.open import load_open_head

from ..face_factory import place_faces

WFLW_MIRROR = np.r_[32:-1:-1, 46:41:-1, 50:46:-1, 37:32:-1, 41:37:-1]
"""The points of WFLW's jaw and brows at the mirrored position."""


@pytest.fixture(scope="module")
def head():
    return load_open_head()


@pytest.mark.parametrize(
    ("name", "count"), [("ibug68", 68), ("ibug51", 51), ("five", 5), ("wflw98", 98), ("mesh478", 478)]
)
def test_every_set_has_its_number_of_points(head, name, count):
    faces = place_faces(head, [(0, 0, 0), (30, 0, 0)])
    assert faces.landmarks(name).shape == (2, count, 3) and faces[1].landmarks(name).shape == (count, 3)
    np.testing.assert_array_equal(faces[1].landmarks(name), faces.landmarks(name)[1])
    assert name in LANDMARK_SETS and landmark_set(head, name) is landmark_set(head, name)


def test_sets_of_ibug(head):
    faces = place_faces(head)
    np.testing.assert_allclose(faces.landmarks(), faces.landmarks68, atol=1e-3)
    np.testing.assert_allclose(faces.landmarks("ibug51"), faces.landmarks68[:, 17:], atol=1e-3)
    np.testing.assert_allclose(faces.landmarks("five")[:, 0], faces.landmarks68[:, 36:42].mean(axis=1), atol=1e-3)


def test_wflw_contains_ibug_and_is_symmetric(head):
    points, ibug = landmark_set(head, "wflw98").mean, head.landmark_points.mean
    np.testing.assert_allclose(points[[*range(0, 33, 2)]], ibug[:17], atol=1e-2)
    np.testing.assert_allclose(points[WFLW_INNER], ibug[17:], atol=1e-2)
    np.testing.assert_allclose(points[:51] * (-1, 1, 1), points[np.r_[WFLW_MIRROR]], atol=1.0)
    np.testing.assert_allclose(points[96] * (-1, 1, 1), points[97], atol=0.5)


@pytest.mark.parametrize("name", ["wflw98", "mesh478"])
def test_points_lie_on_triangles(head, name):
    corners, weights = mesh_set(name)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-3)
    assert (weights >= 0).all()
    known = {tuple(sorted(triangle)) for triangle in head.triangles.tolist()}
    shared = set() if name == "mesh478" else {*range(0, 33, 2), *WFLW_INNER.tolist()}  # with the 68 landmarks
    own = [triangle for number, triangle in enumerate(corners.tolist()) if number not in shared]
    assert all(tuple(sorted(triangle)) in known for triangle in own)


def test_the_dense_set_has_the_order_of_the_face_mesh(head):
    """Tip of the nose, corners of the mouth, outer corners of the eyes, chin, irises: by their published numbers."""
    points, ibug = landmark_set(head, "mesh478").mean, head.landmark_points.mean
    for mesh, ours in ((1, 30), (61, 48), (291, 54), (33, 36), (263, 45), (152, 8)):
        assert np.linalg.norm(points[mesh] - ibug[ours]) < 5
    for name, number in (("right", 468), ("left", 473)):
        assert np.linalg.norm(points[number] - head.mean[head.regions[f"iris_{name}"]].mean(axis=0)) < 2


def test_others_are_refused(head, toy_head):
    with pytest.raises(ModelError, match="unknown set of landmarks 'x': choose one of ibug68"):
        landmark_set(head, "x")
    with pytest.raises(ModelError, match="defined on the open head, not on 'toy'"):
        landmark_set(toy_head, "wflw98")
