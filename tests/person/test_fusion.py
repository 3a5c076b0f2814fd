"""One identity from several photos: robust, weighted by view, and every face stays where it is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddfa.errors import ModelError, NoFaceError
from ddfa.faces import Faces
from ddfa.person.fusion import fuse

from ..conftest import make_head
from ..face_factory import place_faces

HEAD = make_head()


def photos(identities, yaws=None) -> list[Faces]:
    """Faces (n) with given identities (n, 5) and yaws (n)."""
    yaws = [0.0] * len(identities) if yaws is None else yaws
    faces = place_faces(HEAD, [(yaw, 0.0, 0.0) for yaw in yaws])
    pose = faces.layout.split(faces.params).pose
    faces = replace(faces, params=faces.layout.join(pose, np.array(identities), np.zeros((len(yaws), 3))))
    return list(faces.singles())


def test_one_photo_keeps_its_identity() -> None:
    (face,) = photos([[0.3, -0.2, 0.5, 0.1, -0.7]])
    fused = fuse([face])
    np.testing.assert_allclose(fused.identity, face.identity[0], atol=1e-5)
    np.testing.assert_allclose(fused.weights, [1])
    np.testing.assert_allclose(fused.faces[0].landmarks68, face.landmarks68, atol=1e-2)


def test_noise_averages_out_and_somebody_else_is_left_out() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=5)
    own = truth + rng.normal(0, 0.1, (8, 5))
    own[3] = -2 * truth
    fused = fuse(photos(own))
    assert not fused.used[3] and fused.used.sum() == 7
    assert fused.distances[3] == fused.distances.max()
    assert np.abs(fused.identity - truth).max() < 0.12
    assert fused.weights.sum() == pytest.approx(1, abs=1e-5)


def test_a_view_counts_for_what_it_shows() -> None:
    """The modes of this head move all points along one axis each, so that a photo shows two of three."""
    basis = np.zeros((3, HEAD.vertices, 3), np.float32)
    basis[0, :, 0] = basis[1, :, 1] = basis[2, :, 2] = HEAD.mean[:, 0] / 20
    head = replace(
        HEAD, identity_basis=basis, identity_std=np.ones(3, np.float32), identity_mirror=np.ones(3, np.float32)
    )
    faces = place_faces(head, [(0.0, 0.0, 0.0), (90.0, 0.0, 0.0)])
    own = np.array([[0.1, 0.1, 0.3], [0.3, 0.3, 0.1]])
    pose = faces.layout.split(faces.params).pose
    faces = replace(faces, params=faces.layout.join(pose, own, np.zeros((2, 3))))
    width, height, depth = fuse(list(faces.singles())).identity
    assert 0.1 < width < 0.19 and 0.1 < depth < 0.19  # near the frontal view's, near the profile's
    assert height == pytest.approx(0.2, abs=0.01)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(2, 6))
def test_order_does_not_matter(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    faces = photos(rng.normal(size=(count, 5)), rng.uniform(-80, 80, count))
    order = rng.permutation(count)
    first, second = fuse(faces), fuse([faces[k] for k in order])
    np.testing.assert_allclose(first.identity, second.identity, atol=1e-4)
    np.testing.assert_allclose(first.weights[order], second.weights, atol=1e-4)


def test_poor_quality_counts_less() -> None:
    faces = photos([[1.0] * 5, [0.0] * 5])
    output = np.zeros((1, 137), np.float32)
    logits = [3.0, -3.0]
    rated = [
        replace(f, quality_output=output + np.eye(1, 137, dtype=np.float32) * x)
        for f, x in zip(faces, logits, strict=True)
    ]
    assert fuse(faces).identity.mean() == pytest.approx(0.5, abs=1e-3)
    assert fuse(rated).identity.mean() > 0.8


def test_mistakes() -> None:
    faces = photos([[0.0] * 5, [1.0] * 5])
    with pytest.raises(NoFaceError, match="at least one"):
        fuse([])
    with pytest.raises(ValueError, match="one face each"):
        fuse([Faces.concat(faces)])
    other = replace(faces[1], model=replace(faces[1].model, crop_size=121))
    with pytest.raises(ModelError, match="one model"):
        fuse([faces[0], other])
