import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.data.synthetic.people import People
from ddfa.data.synthetic.photo_skin import photo_skin
from ddfa.data.synthetic.pipeline import RenderConfig, render_faces
from ddfa.errors import DataError, ModelError
from ddfa.geometry.roi import roi_from_landmarks
from ddfa.head.model import HeadModel
from ddfa.raster.lighting import estimate_light, harmonics, light_from, shading
from ddfa.texture.atlas import Atlas


@pytest.fixture(scope="module")
def head():
    return HeadModel.load()


@pytest.fixture(scope="module")
def atlas(head):
    return Atlas(head, 192)


def sphere(count=400, seed=0):
    points = np.random.default_rng(seed).normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@given(st.integers(0, 1000))
def test_a_far_light_is_brightest_where_it_is_faced(seed):
    direction = sphere(1, seed)[0]
    light = light_from(direction, np.ones(3))
    seen = shading(sphere(), light)[:, 0]
    np.testing.assert_allclose(seen, np.maximum(sphere() @ direction, 0), atol=0.1)
    assert shading(direction[None], light)[0, 0] == pytest.approx(17 / 16, abs=1e-5)


def test_light_is_found_again_in_what_it_lights():
    normals = sphere()
    normals = normals[normals[:, 2] > 0]
    light = light_from(np.array([0.6, 0.0, 0.8]), np.ones(3))[:, 0] + np.eye(9)[0]
    seen = harmonics(normals) @ light
    found = harmonics(normals) @ estimate_light(normals, 0.4 * seen, np.ones(len(normals)))
    np.testing.assert_allclose(found, seen / seen.mean(), atol=0.06)


def test_the_atlas_mirrors(atlas):
    mirrored = atlas.mirrored(atlas.position)
    safe = atlas.skin & (np.abs(atlas.position[..., 0]) > 3) & (atlas.face > 0.9)
    away = np.linalg.norm(mirrored[safe] * [-1, 1, 1] - atlas.position[safe], axis=-1)
    assert np.quantile(away, 0.99) < 0.3  # it jumps in folds alone
    assert np.isfinite(atlas.closed(atlas.position)).all()


def test_other_heads_cannot_be_textured(toy_head):
    with pytest.raises(ModelError, match="open head"):
        Atlas(toy_head)


def test_a_skin_is_found_again_on_the_atlas(atlas):
    head = atlas.head
    vertices = head.mean * [0.6, -0.6, 0.6] + [80, 80, 0]
    photo = np.full((160, 160, 3), (200, 140, 110), np.uint8)
    shown = photo_skin(photo, vertices.astype(np.float32), atlas)
    assert shown.share > 0.6 and shown.hair is None
    np.testing.assert_allclose(255 * shown.skin[atlas.face > 0.9] - [200, 140, 110], 0, atol=12)


@pytest.mark.parametrize("fitted", [False, True])
def test_expressions_stay_in_their_range(head, labelled, fitted):
    people = People(head, LabelledPhotos.open(labelled, head).labels if fitted else None)
    rng = np.random.default_rng(0)
    drawn = np.stack([people.expression(rng) for _ in range(300)])
    assert drawn.min() >= 0 and drawn.max() <= 1
    names = list(head.expression_names)
    closed = drawn[:, [names.index("eyeBlinkLeft"), names.index("eyeBlinkRight")]] > 0.95
    assert closed.all(axis=1).any() and (closed.sum(axis=1) == 1).any()
    left, right = (drawn[:, names.index(f"eyeLookOut{side}")] for side in ("Left", "Right"))
    assert not (np.minimum(left, right) > 0.3).any() or fitted  # eyes do not look apart


@pytest.mark.parametrize("photos", [False, True])
def test_faces_are_drawn_in_the_middle_and_resumed(head, labelled, tmp_path, photos):
    config = RenderConfig(tmp_path, labelled if photos else None, count=5, picture=64, worst=0.0, workers=1)
    labels = render_faces(config)
    data = LabelledPhotos.open(tmp_path, head)
    assert (labels.fit_error == 0).all() and data.photos.read(labels.names[0]).shape == (64, 64, 3)
    roi = roi_from_landmarks(data.landmarks)
    np.testing.assert_allclose(roi[:, 2] - roi[:, 0], 64 / 1.35, rtol=1e-4)
    np.testing.assert_allclose((roi[:, :2] + roi[:, 2:]) / 2, 31.5, atol=1e-3)
    if not photos:
        assert labels.sources == labels.names
    np.testing.assert_array_equal(render_faces(config).pose, labels.pose)


def test_a_missing_data_set_is_named(tmp_path):
    with pytest.raises(DataError, match="label"):
        render_faces(RenderConfig(tmp_path / "out", tmp_path / "nothing", count=1))
    assert not (tmp_path / "out").exists()
