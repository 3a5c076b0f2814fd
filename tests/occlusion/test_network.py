"""The occlusion network finds hands in front of a face, and nothing on a bare one."""

import cv2
import numpy as np
import pytest

from ddfa import FaceAligner, read_image
from ddfa.data.synthetic.objects.hands import hand_occluder
from ddfa.data.synthetic.objects.occluders import composite
from ddfa.errors import ModelError
from ddfa.occlusion.face_view import FaceView
from ddfa.occlusion.network import SIDE, WEIGHTS, network_input, predict_occlusion
from ddfa.occlusion.skin_colour import ColourBasis


@pytest.fixture(scope="module")
def view(root, surface):
    photo = read_image(root / "samples" / "astronaut.jpg")
    try:
        faces = FaceAligner(threads=1)(photo, refine=True)
    except ModelError as error:
        pytest.skip(f"needs the shipped weights ({error})")
    return FaceView.of(surface, ColourBasis(surface), photo, faces.single(0), 256)


def test_the_input_holds_colours_and_surface_codes(view):
    channels = network_input(view.image, view.code_map)
    assert channels.shape == (7, SIDE, SIDE) and channels.dtype == np.float32
    assert np.abs(channels[:3]).max() <= 1 and set(np.unique(channels[6].round(3))) == {0.0, 1.0}
    on = channels[6] > 0
    assert channels[3][on].min() < -0.4 < 0.4 < channels[3][on].max()


def test_a_bare_face_has_no_occluder(view):
    found = _full_size(predict_occlusion(view.image, view.code_map), view)
    below = view.raster.mask & (np.arange(len(found))[:, None] > 0.35 * len(found))  # above is hair
    assert (found[below] > 0.5).mean() < 0.02


def test_hands_of_skin_colour_are_found(view):
    mask, skin = view.raster.mask, np.median(view.image[view.raster.mask], axis=0) / 255
    height, width = mask.shape
    rows, columns = np.nonzero(mask)
    centre = (float(columns.mean()), float(rows.mean()), float(np.ptp(rows)))
    both = either = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        hand = hand_occluder(max(height, width), centre, skin, rng)
        shown = composite(_squared(view.image), hand, rng)[:height, :width]
        found = _full_size(predict_occlusion(np.clip(255 * shown, 0, 255).astype(np.uint8), view.code_map), view) > 0.5
        truth = hand.opacity[:height, :width] > 0.5
        both += np.count_nonzero(found & truth & mask)
        either += np.count_nonzero((found | truth) & mask)
    assert both / either > 0.6


@pytest.mark.parametrize("content", [None, b"other weights"])
def test_missing_and_altered_weights_are_refused(tmp_path, content):
    weights = tmp_path / "occlusion.onnx"
    if content is not None:
        weights.write_bytes(content)
    blank = np.zeros((8, 8, 3), np.uint8), np.zeros((SIDE, SIDE, 4), np.float32)
    with pytest.raises(ModelError, match="reinstall"):
        predict_occlusion(*blank, weights)
    weights.write_bytes(WEIGHTS.read_bytes())
    assert 0 <= predict_occlusion(*blank, weights).min() <= predict_occlusion(*blank, weights).max() <= 1


def _full_size(found, view):
    """Resize a prediction to the whole image."""
    assert found.shape == (SIDE // 2, SIDE // 2) and 0 <= found.min() <= found.max() <= 1
    return cv2.resize(found, view.image.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _squared(image):
    """Pad an image to a square, in [0, 1]."""
    height, width = image.shape[:2]
    side = max(height, width)
    around = ((0, side - height), (0, side - width), (0, 0))
    return np.pad(image, around, mode="edge").astype(np.float32) / 255
