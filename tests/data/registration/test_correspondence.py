"""Registration of another head model to ours, and placing landmarks by it."""

import dataclasses

import numpy as np
import pytest

from ddfa.data.registration.correspondence import register
from ddfa.data.registration.landmark_placement import MIRRORED, place_landmarks, refine_landmarks
from ddfa.data.registration.surface import closest_points
from ddfa.errors import ModelError
from ddfa.head.model import HeadModel


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.load()


@pytest.fixture(scope="module")
def relative(head) -> HeadModel:
    """Another model whose correspondence is known: our face as another person, cut out, elsewhere, in other units."""
    rng = np.random.default_rng(1)
    person = head.decode(rng.normal(0, 0.7, (1, 80)), np.zeros((1, 0)))[0]
    keep = head.regions["face"]
    keep = keep | np.isin(np.arange(head.vertices), head.landmark_vertices)
    vertices = np.flatnonzero(keep)
    number = np.full(head.vertices, -1, np.int32)
    number[vertices] = np.arange(len(vertices))
    angle = np.radians(10)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    placed = (1000 * person[vertices] @ turn.T + [5e3, -2e4, 1e4]).astype(np.float32)
    return HeadModel(
        name="relative",
        mean=placed,
        identity_basis=np.zeros((0, len(vertices), 3), np.float32),
        expression_basis=np.zeros((0, len(vertices), 3), np.float32),
        identity_std=np.zeros(0, np.float32),
        expression_names=(),
        triangles=number[head.triangles[keep[head.triangles].all(axis=1)]],
        landmark_vertices=number[head.landmark_vertices],
        landmark_weights=head.landmark_weights,
        licence="test",
        regions={"origin": np.ones(len(vertices), bool)},
    )


def test_finds_a_known_correspondence(head, relative):
    found = register(head, relative)
    assert found.similarity.scale == pytest.approx(1e-3, rel=0.02)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, atol=1e-5)
    assert found.corners.dtype == np.int32 and found.valid.mean() > 0.85
    truth = head.mean[np.flatnonzero(head.regions["face"] | np.isin(np.arange(head.vertices), head.landmark_vertices))]
    error = np.linalg.norm(found.positions(head.mean) - truth, axis=1)[found.valid]
    assert np.median(error) < 0.6 and np.percentile(error, 95) < 2.5  # mm
    assert found.gaps[found.valid].max() <= 1.5


def test_a_target_without_triangles_is_refused(head, relative):
    bare = dataclasses.replace(relative, triangles=np.zeros((0, 3), np.int32))
    with pytest.raises(ModelError, match="has no triangles"):
        register(head, bare)
    with pytest.raises(ModelError, match="names no skin"):
        register(relative, relative)


def test_registers_the_published_head(head, reference):
    published = HeadModel.load(reference / "bfm_noneck_v3.pkl")
    found = register(head, published)
    assert 0.8e-3 < found.similarity.scale < 1.1e-3  # micrometres to millimetres of a mean person
    assert found.valid.mean() > 0.9
    assert found.gaps[found.valid].mean() < 0.2
    # Carried to our head, the published landmarks and ours name the same places.
    carriers = published.landmark_vertices[:, 0]
    apart = np.linalg.norm(found.positions(head.mean)[carriers] - head.landmark_points.mean, axis=1)
    assert np.median(apart[found.valid[carriers]]) < 1.5


def test_refinement_recovers_shifted_landmarks(head):
    """Points seen with other barycentric weights pull the landmarks to where they were seen."""
    rng = np.random.default_rng(0)
    identity, expression = rng.normal(0, 0.5, (40, 80)), rng.uniform(0, 0.2, (40, 52))
    shift = np.zeros((68, 3))
    shift[[19, 24]] = [[1.5, 0, 0], [-1.5, 0, 0]]
    vertices, weights = place_landmarks(head, head.landmark_vertices, head.landmark_points.mean + shift)
    shifted = dataclasses.replace(head, landmark_vertices=vertices, landmark_weights=weights.astype(np.float32))
    points = shifted.decode_landmarks(identity, expression) + rng.normal(0, 0.3, (40, 68, 3))
    vertices, weights = refine_landmarks(head, identity, expression, points)
    refined = np.einsum("kcd,kc->kd", head.mean[vertices], weights)
    assert np.abs(refined - shifted.landmark_points.mean).max() < 0.8
    assert np.linalg.norm(refined[19] - shifted.landmark_points.mean[19]) < 0.3
    assert np.abs(refined[MIRRORED] * [-1, 1, 1] - refined).max() < 0.05
    kept, kept_weights = refine_landmarks(head, identity, expression, points, landmarks=[19, 24])
    others = np.delete(np.arange(68), [19, 24])
    np.testing.assert_array_equal(kept[others], head.landmark_vertices[others])
    np.testing.assert_allclose(kept_weights[others], head.landmark_weights[others])


def test_closest_points_agree_with_a_dense_search():
    rng = np.random.default_rng(0)
    vertices, triangles = rng.normal(size=(12, 3)), np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]])
    queries = rng.normal(size=(50, 3))
    triangles[3, 2] = triangles[3, 1]  # one is only an edge
    found = closest_points(queries, vertices, triangles)
    grid = np.array([(i, j, 60 - i - j) for i in range(61) for j in range(61 - i)]) / 60
    dense = np.einsum("gc,tcd->tgd", grid, vertices[triangles]).reshape(-1, 3)
    brute = np.linalg.norm(queries[:, None] - dense, axis=2).min(axis=1)
    assert (found.distances <= brute + 1e-9).all() and (brute - found.distances).max() < 0.05
    assert (found.weights >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(found.positions - queries, axis=1), found.distances)
