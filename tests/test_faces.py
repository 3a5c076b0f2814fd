import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.errors import ImageError, ModelError
from ddfa.face_model import FaceModel
from ddfa.faces import Faces
from ddfa.geometry.pose import compose, matrix_from_euler
from ddfa.head.linear import LinearPoints
from ddfa.head.open import load_open_head
from ddfa.image_input import ImageSource
from ddfa.images import write_image
from ddfa.regress.convention import PixelConvention
from ddfa.regress.layout import ParamLayout

from .face_factory import place_faces

LAYOUT = ParamLayout(identity=5, expression=3)


def make_faces(head, n=3, convention=PixelConvention.OPEN, seed=0):
    rng = np.random.default_rng(seed)
    euler = rng.uniform(-60, 60, (n, 3))
    pose = compose(rng.uniform(0.3, 0.6, n), matrix_from_euler(euler), rng.normal(60, 5, (n, 3)))
    params = LAYOUT.join(pose, rng.normal(size=(n, 5)), rng.normal(size=(n, 3)))
    corner = rng.uniform(-50, 500, (n, 2))
    roi = np.concatenate([corner, corner + rng.uniform(80, 400, (n, 1))], axis=1)
    boxes = roi.astype(np.float32)
    return Faces(boxes, np.ones(n, np.float32), params, boxes, FaceModel(head, LAYOUT, convention), (640, 480)), euler


@given(st.integers(0, 500), st.sampled_from(PixelConvention))
def test_pose_scale_and_translation_rebuild_the_vertices(toy_head, seed, convention):
    faces, euler = make_faces(toy_head, seed=seed, convention=convention)
    np.testing.assert_allclose(faces.euler_deg, euler, atol=1e-2)
    shape = toy_head.decode(faces.identity, faces.expression)
    camera = shape @ faces.rotation.transpose(0, 2, 1) * (1, -1, 1)
    rebuilt = faces.scale[:, None, None] * camera + faces.translation[:, None]
    if convention is PixelConvention.V2:
        rebuilt[..., 2] -= rebuilt[..., 2].min(axis=1, keepdims=True)
    np.testing.assert_allclose(faces.vertices, rebuilt, atol=0.01)


def test_landmarks_lie_on_the_dense_vertices(toy_head):
    faces, _ = make_faces(toy_head)
    corners = faces.vertices[:, toy_head.landmark_vertices]
    expected = np.einsum("nkcd,kc->nkd", corners, toy_head.landmark_weights)
    np.testing.assert_allclose(faces.landmarks68, expected, atol=0.01)


@given(st.integers(0, 500), st.sampled_from([PixelConvention.OPEN, PixelConvention.V1]))
def test_without_pose_a_face_is_frontal_at_the_same_position(toy_head, seed, convention):
    faces, _ = make_faces(toy_head, seed=seed, convention=convention)
    frontal = faces.without(pose=True)
    np.testing.assert_allclose(frontal.euler_deg, 0, atol=1e-3)
    np.testing.assert_allclose(frontal.scale, faces.scale, rtol=1e-5)
    np.testing.assert_allclose(frontal.landmarks68.mean(axis=1), faces.landmarks68.mean(axis=1), atol=0.01)
    shape = toy_head.decode(faces.identity, faces.expression) * (1, -1, 1) * faces.scale[:, None, None]
    moved = frontal.vertices - shape
    np.testing.assert_allclose(moved, np.broadcast_to(moved[:, :1], moved.shape), atol=0.02)


def test_without_expression_identity_and_pose_are_unchanged(toy_head):
    faces, _ = make_faces(toy_head)
    rest = faces.without(expression=True)
    assert faces.expression.any() and not rest.expression.any()
    np.testing.assert_array_equal(rest.identity, faces.identity)
    np.testing.assert_allclose(rest.rotation, faces.rotation, atol=1e-6)
    both = faces.without(pose=True, expression=True)
    np.testing.assert_array_equal(both.params, rest.without(pose=True).params)
    np.testing.assert_array_equal(faces.without().params, faces.params)


def test_selection_and_iteration(toy_head):
    faces, _ = make_faces(toy_head)
    assert [face.index for face in faces] == [0, 1, 2]
    assert [len(face) for face in faces.singles()] == [1, 1, 1]
    np.testing.assert_array_equal(faces[-1].params, faces.params[2])
    np.testing.assert_array_equal(faces.single(-1).params, faces.params[2:])
    np.testing.assert_array_equal(faces[np.array([True, False, True])].roi, faces.roi[[0, 2]])
    assert len(faces[1:]) == 2
    with pytest.raises(IndexError):
        faces[3]


def test_no_faces(toy_head):
    faces = make_faces(toy_head)[0][:0]
    assert faces.vertices.shape == (0, 80, 3) and faces.landmarks68.shape == (0, 68, 3)
    assert faces.euler_deg.shape == (0, 3) and faces.rotation.shape == (0, 3, 3)
    v2 = replace(faces, model=replace(faces.model, convention=PixelConvention.V2))
    assert len(faces.without(pose=True, expression=True)) == 0
    assert v2.vertices.shape == (0, 80, 3) and v2.translation.shape == (0, 3)


def test_blendshapes_need_the_open_head(toy_head):
    with pytest.raises(ModelError, match="no ARKit blendshapes: use a bundle"):
        _ = make_faces(toy_head)[0].blendshapes


def test_inconsistent_arrays(toy_head):
    faces, _ = make_faces(toy_head)
    with pytest.raises(ModelError, match=r"boxes is \(2, 4\)"):
        replace(faces, boxes=faces.boxes[:2])


def test_shown_in_one_line(toy_head):
    faces, _ = make_faces(toy_head)
    assert repr(faces) == "Faces(3 in an image of 640 x 480 px, head model 'toy')"
    assert repr(toy_head) == "HeadModel('toy': 80 vertices, 26 triangles, 5 identity modes, 3 expressions)"


DERIVED = ("landmarks68", "vertices", "neutral_vertices", "rotation", "euler_deg", "scale", "translation")


@pytest.mark.parametrize("index", [1, slice(1, 3), np.array([2, 0]), np.array([True, False, True])])
@pytest.mark.parametrize("convention", PixelConvention)
def test_slices_keep_what_was_computed(toy_head, monkeypatch, index, convention):
    faces, _ = make_faces(toy_head, convention=convention)
    expected = {name: getattr(faces, name) for name in DERIVED}
    monkeypatch.setattr(LinearPoints, "decode", None)  # nothing may be decoded again
    part = faces.single(index) if isinstance(index, int) else faces[index]
    for name, whole in expected.items():
        np.testing.assert_array_equal(getattr(part, name), whole[[index] if isinstance(index, int) else index])


@pytest.mark.parametrize("convention", PixelConvention)
def test_slices_compute_what_the_whole_computes(toy_head, convention):
    faces, _ = make_faces(toy_head, convention=convention)
    part = faces[1:]
    for name in DERIVED:
        np.testing.assert_allclose(getattr(part, name), getattr(faces, name)[1:], rtol=1e-5, atol=1e-3)


def test_one_face_is_the_same_object_each_time(toy_head):
    faces, _ = make_faces(toy_head)
    assert faces.single(1) is faces.single(1) is faces[1].faces and faces.single(-1) is faces.single(2)
    assert next(faces.singles()) is faces.single(0)
    alone = faces.single(0)
    assert alone.single(0) is alone
    with pytest.raises(IndexError):
        alone.single(1)


def test_concat_joins_and_keeps(toy_head, monkeypatch):
    faces, _ = make_faces(toy_head)
    parts = [faces[:1], faces[1:]]
    for part in parts:
        _ = part.landmarks68
    _ = parts[0].vertices
    joined = Faces.concat(parts)
    for name in ("boxes", "scores", "params", "roi"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(faces, name))
    np.testing.assert_allclose(joined.vertices, faces.vertices, atol=1e-3)
    expected = faces.landmarks68
    monkeypatch.setattr(LinearPoints, "decode", None)
    np.testing.assert_allclose(joined.landmarks68, expected, atol=1e-3)


def test_only_faces_of_one_image_and_model_are_joined(toy_head):
    one, other = make_faces(toy_head)[0], make_faces(toy_head, convention=PixelConvention.V1)[0]
    assert len(Faces.concat([one, make_faces(toy_head)[0]])) == 6  # an equal model
    with pytest.raises(ModelError, match="one model"):
        Faces.concat([one, other])
    with pytest.raises(ModelError, match="nothing to join"):
        Faces.concat([])


def test_changed_faces_are_computed_again(toy_head):
    faces, _ = make_faces(toy_head)
    before = faces.landmarks68
    assert np.abs(faces.without(pose=True).landmarks68 - before).max() > 1


def test_values_are_cached_per_result(toy_head):
    faces, _ = make_faces(toy_head)
    assert faces.remember("key", lambda: [1]) is faces.remember("key", lambda: [2])
    assert faces.single(0).remember("key", lambda: [3]) == [3]


def test_another_expression_keeps_pose_and_identity():
    faces = place_faces(load_open_head(), [(20, 10, -5)])
    rotation, neutral = faces.rotation, faces.neutral_vertices
    changed = faces.with_expression(np.full_like(faces.expression, 0.5))
    assert changed.rotation is rotation and changed.neutral_vertices is neutral
    np.testing.assert_allclose(changed.blendshapes, 0.5)
    fresh = Faces(changed.boxes, changed.scores, changed.params, changed.roi, changed.model, changed.image_size)
    np.testing.assert_array_equal(fresh.vertices, changed.vertices)
    np.testing.assert_allclose(fresh.rotation, rotation)


def test_views_have_plain_shapes():
    faces = place_faces(load_open_head(), [(20, 10, -5), (0, 0, 0)])
    for index, face in enumerate(faces):
        for name in (*DERIVED, "roi", "params", "identity", "expression", "blendshapes", "quaternion"):
            np.testing.assert_array_equal(getattr(face, name), getattr(faces, name)[index])
        assert face.landmarks68.shape == (68, 3) and face.box.shape == (4,)
        assert isinstance(face.score, float) and isinstance(face.scale, float)
        assert face.quality is None and face.landmark_std is None and face.landmark_occlusion is None
        assert list(face.blendshapes_by_name) == list(faces.head.expression_names)
    assert faces.blendshapes_by_name["jawOpen"].shape == (2,)
    assert repr(faces[1]) == f"Face(1 of {faces!r})"


def test_pickles_are_small_and_complete():
    faces = place_faces(load_open_head(), [(20, 10, -5), (0, 0, 0)])
    _ = faces.vertices
    content = pickle.dumps(faces)
    assert len(content) < 2 * 50_000
    again = pickle.loads(content)
    assert again.head is faces.head and again.model == faces.model
    np.testing.assert_array_equal(again.vertices, faces.vertices)
    assert len(Faces.concat([faces, again])) == 4
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(faces[1])).vertices, faces[1].vertices)


def test_the_image_is_found_again(toy_head, tmp_path):
    faces, _ = make_faces(toy_head)
    with pytest.raises(ImageError, match="pass them as `image`"):
        _ = faces.image
    path = tmp_path / "x.png"
    write_image(path, np.full((480, 640, 3), 7, np.uint8))
    there = replace(faces, source=ImageSource(path))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(there)).image, 7)
    write_image(path, np.full((48, 64, 3), 7, np.uint8))
    with pytest.raises(ImageError, match="has changed"):
        _ = there.image
    array = np.full((480, 640, 3), 9, np.uint8)
    kept = replace(faces, source=ImageSource(array))
    assert kept.image is array
    with pytest.raises(ImageError, match="no longer in memory"):
        _ = pickle.loads(pickle.dumps(kept)).image
    del array
    with pytest.raises(ImageError, match="no longer in memory"):
        _ = kept.image
