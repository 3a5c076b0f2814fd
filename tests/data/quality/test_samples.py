import numpy as np
import pytest

from ddfa.data.quality.samples import KnownFaces, QualitySamples, SampleShares, known_faces
from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.head.open import load_open_head


@pytest.fixture(scope="module")
def data(labelled):
    return LabelledPhotos.open(labelled, load_open_head())


def hands():
    opacity = np.zeros((128, 128), np.uint8)
    opacity[40:90, 40:90] = 255
    return [(np.full((128, 128, 3), 100, np.uint8), opacity)]


def test_known_faces_resume(data, tmp_path):
    head = load_open_head()
    first = known_faces(data, head, tmp_path, workers=1)
    assert first.hidden.shape == (len(data.labels), 68)
    assert set(np.unique(first.hidden[np.isfinite(first.hidden)])) <= {0, 1}
    (part,) = sorted(tmp_path.iterdir())
    np.save(part, np.ones_like(first.hidden))  # what is there already is not computed again
    assert (known_faces(data, head, tmp_path, workers=1).hidden == 1).all()


def test_samples_are_a_function_of_the_seed_and_know_what_is_hidden(data):
    n = len(data.labels)
    faces = KnownFaces(data.landmarks[..., :2], np.zeros((n, 68), np.float32))
    source = QualitySamples([data], [faces], hands(), 64)
    one, two = (source.samples(60, seed=3) for _ in range(2))
    assert all(np.array_equal(a.crop, b.crop) for a, b in zip(one, two, strict=True))
    without = [sample for sample in one if np.isnan(sample.landmarks).all()]
    assert 2 <= len(without) <= 20 and all(np.isnan(sample.occluded).all() for sample in without)
    faces_seen = [sample for sample in one if np.isfinite(sample.landmarks).all()]
    assert len(faces_seen) + len(without) == 60
    assert all(sample.crop.shape == (64, 64, 3) and sample.crop.dtype == np.uint8 for sample in one)
    hidden = np.array([np.nanmean(sample.occluded) for sample in faces_seen if np.isfinite(sample.occluded).any()])
    assert (hidden == 0).any() and (hidden > 0.1).any()
    outside = [((s.landmarks < -0.5) | (s.landmarks > 63.5)).any(axis=1) for s in faces_seen]
    assert all(np.isnan(s.occluded[o]).all() for s, o in zip(faces_seen, outside, strict=True))


def test_mirrored_crops_have_mirrored_landmarks(data):
    n = len(data.labels)
    hidden = np.zeros((n, 68), np.float32)
    hidden[:, :8] = 1  # one side of the jaw
    faces = KnownFaces(data.landmarks[..., :2], hidden)
    source = QualitySamples([data], [faces], hands(), 64, SampleShares(no_face=0, poor_box=0, occluder=0))
    sides = set()
    for sample in source.samples(40, seed=0):
        across, down = sample.landmarks[16] - sample.landmarks[0], sample.landmarks[8] - sample.landmarks[27]
        assert across[0] * down[1] - across[1] * down[0] > 0  # landmark 0 is on the left of an upright face
        marked = np.flatnonzero(sample.occluded == 1)
        sides |= (
            {"first" if (marked < 8).all() else "second" if (marked > 8).all() else "both"} if len(marked) else set()
        )
    assert sides == {"first", "second"}
