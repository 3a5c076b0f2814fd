from dataclasses import replace

import numpy as np
import pytest

from ddfa.data.sets.dataset import CropStream, LabelledPhotos, expressiveness, held_out_indices, photo_path, rescaled
from ddfa.data.sets.labels import Labels
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError
from ddfa.regress.convention import PixelConvention
from ddfa.regress.layout import ParamLayout


@pytest.fixture(scope="module")
def stream(labelled, head):
    return CropStream([LabelledPhotos.open(labelled, head)], (1.0,), head, size=120, resolution=64)


def test_batches_have_the_promised_shapes(stream):
    crops, labels = stream.batch(4, [0])
    assert crops.shape == (4, 64, 64, 3) and crops.dtype == np.uint8
    assert labels.shape == (4, 144) and labels.dtype == np.float32


def test_the_same_seed_gives_the_same_batch(stream):
    one, two = stream.batch(3, [7, 1]), stream.batch(3, [7, 1])
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    other = stream.batch(3, [7, 2])
    assert not np.array_equal(one[1], other[1])


def test_visibilities_follow_the_parameters_and_are_mirrored(labelled, head, tmp_path):
    data = LabelledPhotos.open(labelled, head)
    weights = np.random.default_rng(0).uniform(0, 1, data.labels.expression.shape).astype(np.float32)
    weighted = replace(data.labels, visibility=weights)
    weighted.save(tmp_path / "labels.npz")
    loaded = Labels.load(tmp_path / "labels.npz")
    np.testing.assert_array_equal(loaded.visibility, weights)
    np.testing.assert_array_equal(loaded.select(np.array([1])).visibility, weights[1:2])
    assert data.labels.visibility is None, "older files have none"
    stream = CropStream([replace(data, labels=weighted)], (1.0,), head, size=120, resolution=64)
    assert stream.label_size == 144 and stream.sample_labels(2, 0).shape == (2, 144)
    labels = stream.batch(3, [0])[1]
    assert labels.shape == (3, 144 + 52)
    own, mirrored = stream.weights(0, 1, False), stream.weights(0, 1, True)
    np.testing.assert_array_equal(own, weights[1])
    np.testing.assert_array_equal(mirrored[head.expression_mirror], own)
    with pytest.raises(DataError, match="visibility"):
        replace(data.labels, visibility=weights[:, :3])


def test_labels_lie_around_the_middle_of_the_crop(stream, head):
    labels = stream.sample_labels(40, seed=0)
    pose, identity, expression = ParamLayout(80, 52).split(labels)
    points = head.decode_landmarks(identity, expression) @ pose[..., :3].transpose(0, 2, 1) + pose[:, None, :, 3]
    crop = PixelConvention.OPEN.to_image(points, np.tile([-0.5, -0.5, 119.5, 119.5], (40, 1)), 120)
    low, high = crop[..., :2].min(axis=1), crop[..., :2].max(axis=1)
    np.testing.assert_allclose(((low + high) / 2).mean(axis=0), 59.5, atol=4)
    assert np.median((high - low).max(axis=1)) == pytest.approx(120 / np.sqrt(2), rel=0.1)


def test_rescaled_keeps_pixel_centres():
    affine = np.array([[1.0, 0, 3], [0, 1, -2]])
    half = rescaled(affine, 0.5)
    point = np.array([10.0, 20.0])
    full = affine[:, :2] @ point + affine[:, 2]
    np.testing.assert_allclose(half[:, :2] @ point + half[:, 2], 0.5 * (full + 0.5) - 0.5)


def test_worst_labels_can_be_left_out(labelled, head):
    assert len(LabelledPhotos.open(labelled, head, worst=0.4).labels) == 2


def test_a_photo_stays_on_its_side(labelled, head):
    names = [f"{k}.jpg" for k in range(5000)]
    aside = held_out_indices(names, 0.02)
    assert 0.015 < aside.mean() < 0.025
    np.testing.assert_array_equal(held_out_indices(names[::-1], 0.02)[::-1], aside)
    assert held_out_indices(names, 0.1)[aside].all()
    training, held_out = LabelledPhotos.open(labelled, head).split(0.5)
    assert not set(training.labels.names) & set(held_out.labels.names)
    assert len(training.labels) + len(held_out.labels) == 3 == len(training.landmarks) + len(held_out.yaw_deg)


def test_turned_faces_follow_the_photo_they_come_from(labelled, head):
    data = LabelledPhotos.open(labelled, head)
    aside = set(data.split(0.5)[1].labels.names)
    turned = replace(data, labels=replace(data.labels, names=("a", "b", "c"), sources=data.labels.names))
    assert set(turned.split(0.5)[1].labels.sources) == aside


def test_strong_expressions_are_told_from_common_ones(head):
    faces = np.zeros((5, 52))
    for face, name, value in (
        (1, "eyeBlinkLeft", 0.6),
        (2, "jawOpen", 0.9),
        (3, "eyeBlinkRight", 0.2),
        (4, "browInnerUp", 1),
    ):
        faces[face, head.expression_names.index(name)] = value
    strength = expressiveness(faces, head.expression_names)
    np.testing.assert_array_equal(strength[[0, 1, 2, 4]], [0, 1, 1, 0])
    assert 0 < strength[3] < 0.1
    np.testing.assert_array_equal(expressiveness(faces[:, :10], [f"mode {k}" for k in range(10)]), 0)


def test_strong_expressions_are_drawn_more_often(labelled, head):
    data = LabelledPhotos.open(labelled, head)
    expression = np.zeros_like(data.labels.expression)
    expression[1, head.expression_names.index("jawOpen")] = 1.0
    data = replace(data, labels=replace(data.labels, expression=expression), yaw_deg=np.zeros(3))
    drawn = {}
    for weight in (0.0, 4.0):
        stream, rng = CropStream([data], (1.0,), head, expressive=weight), np.random.default_rng(0)
        drawn[weight] = np.mean([stream.draw(rng)[1] == 1 for _ in range(400)])
    assert drawn[0.0] == pytest.approx(1 / 3, abs=0.08)
    assert drawn[4.0] == pytest.approx(5 / 7, abs=0.08)


def test_turned_photos_get_a_share_and_made_pictures_do_not(labelled, head):
    photos = LabelledPhotos.open(labelled, head)
    photos = replace(photos, yaw_deg=np.array([0.0, -40.0, 24.0]))
    made = replace(photos, labels=replace(photos.labels, sources=photos.labels.names), yaw_deg=np.full(3, 60.0))
    plain = CropStream([photos, made], (1.0, 3.0), head)
    stream = CropStream([photos, made], (1.0, 3.0), head, turned_share=0.5, turned_from=25)
    drawn = {}
    for name, source in (("plain", plain), ("shared", stream)):
        rng = np.random.default_rng(0)
        drawn[name] = np.mean([source.draw(rng)[:2] == (0, 1) for _ in range(400)])
    assert drawn["shared"] == pytest.approx(0.5 + 0.5 * drawn["plain"], abs=0.07)
    assert drawn["plain"] < 0.25
    with pytest.raises(DataError, match="lower --turned-from"):
        CropStream([made], (1.0,), head, turned_share=0.1)


def test_shares_must_match_the_sets(labelled, head):
    with pytest.raises(DataError, match="as many shares"):
        CropStream([LabelledPhotos.open(labelled, head)], (1.0, 2.0), head)


def test_a_set_with_all_photos_kept_aside_is_refused(labelled, head):
    data = LabelledPhotos.open(labelled, head)
    with pytest.raises(DataError, match=r"no photo of .*photos is left to train on.*--held-out"):
        CropStream([data, data.split(1.0)[0]], (1.0, 1.0), head)


def test_photos_are_read_from_folder_and_tar(labelled, tmp_path):
    import tarfile

    folder = Photos(photo_path(labelled))
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        for name in folder.names:
            archive.add(photo_path(labelled) / name, name)
    packed = Photos(tmp_path / "photos.tar")
    assert packed.names == folder.names and len(packed) == 3
    np.testing.assert_array_equal(packed.read("1.png"), folder.read("1.png"))


def test_bad_photo_places_are_named(tmp_path):
    with pytest.raises(DataError, match="contains no images"):
        Photos(tmp_path)
    (tmp_path / "broken.tar").write_bytes(b"x" * 600)
    with pytest.raises(DataError, match=r"broken\.tar"):
        Photos(tmp_path / "broken.tar")
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="readable image"):
        Photos(tmp_path).read("empty.jpg")
    with pytest.raises(DataError, match="neither"):
        photo_path(tmp_path)
