import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.geometry.pose import matrix_from_euler
from ddfa.geometry.similarity import fit_similarity

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(1, 4), st.booleans())
def test_known_similarities_are_recovered(seed, n, weighted):
    rng = np.random.default_rng(seed)
    source = rng.normal(size=(n, 20, 3))
    rotation = matrix_from_euler(rng.uniform(-80, 80, (n, 3)))
    scale, translation = rng.uniform(0.1, 10, n), rng.normal(size=(n, 3))
    target = scale[:, None, None] * source @ rotation.transpose(0, 2, 1) + translation[:, None]
    found = fit_similarity(source, target, rng.uniform(0.1, 1, 20) if weighted else None)
    np.testing.assert_allclose(found.scale, scale)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-9)
    np.testing.assert_allclose(found.translation, translation, atol=1e-9)
    np.testing.assert_allclose(found.apply(source), target, atol=1e-9)


@given(seeds)
def test_no_similarity_nearby_is_better(seed):
    rng = np.random.default_rng(seed)
    source, target, weights = rng.normal(size=(12, 3)), rng.normal(size=(12, 3)), rng.uniform(0.1, 1, 12)
    found = fit_similarity(source, target, weights)

    def error(candidate):
        return float(weights @ ((candidate.apply(source) - target) ** 2).sum(axis=1))

    least = error(found)
    for _ in range(20):
        turned = matrix_from_euler(rng.normal(0, 1, 3)) @ found.rotation
        moved = found._replace(
            rotation=turned,
            scale=found.scale * rng.uniform(0.9, 1.1),
            translation=found.translation + 0.05 * rng.normal(size=3),
        )
        assert error(moved) >= least - 1e-9


def test_mirrored_points_are_fitted_by_a_rotation():
    rng = np.random.default_rng(0)
    source = rng.normal(size=(30, 3))
    found = fit_similarity(source, source * [-1, 1, 1])
    assert np.linalg.det(found.rotation) == pytest.approx(1)
    assert found.scale < 1
