import numpy as np
import pytest

from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.data.synthetic.people import People
from ddfa.data.synthetic.photo_skin import photo_skin
from ddfa.data.synthetic.pipeline import RenderConfig, render_faces
from ddfa.errors import DataError
from ddfa.geometry.roi import roi_from_landmarks
from ddfa.head.model import HeadModel
from ddfa.texture.atlas import Atlas


@pytest.fixture(scope="module")
def head():
    return HeadModel.load()


@pytest.fixture(scope="module")
def atlas(head):
    return Atlas(head, 192)


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
    for one, other in (("eyeLookInLeft", "eyeLookOutLeft"), ("eyeLookUpRight", "eyeLookDownRight")):
        assert np.minimum(drawn[:, names.index(one)], drawn[:, names.index(other)]).max() < 1e-6
        assert drawn[:, names.index(one)].max() > 0.9


def test_both_sides_are_independent_and_every_unit_occurs(head):
    people, rng = People(head, None), np.random.default_rng(0)
    drawn = np.stack([people.expression(rng) for _ in range(1500)])
    assert (drawn.max(axis=0) > 0.5).all()
    names = list(head.expression_names)
    for name in ("browDown", "browOuterUp", "cheekSquint", "mouthSmile", "mouthFrown", "noseSneer", "eyeBlink"):
        left, right = (drawn[:, names.index(f"{name}{side}")] for side in ("Left", "Right"))
        assert np.corrcoef(left, right)[0, 1] < 0.8, name
        assert ((left > 0.5) & (right < 0.2)).any() and ((right > 0.5) & (left < 0.2)).any(), name
    assert 0.02 < (drawn[:, names.index("tongueOut")] > 0.5).mean() < 0.1


@pytest.mark.parametrize("photos", [False, True])
def test_faces_are_drawn_in_the_middle_and_resumed(head, labelled, tmp_path, photos):
    config = RenderConfig(tmp_path, labelled if photos else None, count=5, picture=64, worst=0.0, workers=1)
    labels = render_faces(config)
    data = LabelledPhotos.open(tmp_path, head)
    assert labels.visibility is not None and labels.visibility.shape == labels.expression.shape
    np.testing.assert_array_equal(data.labels.visibility, labels.visibility)
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
