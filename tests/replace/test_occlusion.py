"""Hands before a face are found, and nothing on a bare one."""

import cv2
import numpy as np
import pytest

from ddfa import FaceAligner, read_image
from ddfa.data.synthetic.hands import hand_occluder
from ddfa.data.synthetic.occluders import composite
from ddfa.errors import ModelError
from ddfa.replace.appearance.colour import ToneBasis
from ddfa.replace.face_region import FaceSurface
from ddfa.replace.occlusion import network
from ddfa.replace.occlusion.network import SIDE, network_input, predict_occlusion
from ddfa.replace.target import TargetFace


@pytest.fixture(scope="module")
def view(root):
    photo = read_image(root / "samples" / "astronaut.jpg")
    try:
        faces = FaceAligner(threads=1)(photo, refine=True)
    except ModelError as error:
        pytest.skip(f"needs the shipped weights ({error})")
    surface = FaceSurface(faces.head)
    return TargetFace.of(surface, ToneBasis(surface), photo, faces[0], 256)


def test_the_network_sees_colours_and_places(view):
    seen = network_input(view.picture, view.places)
    assert seen.shape == (7, SIDE, SIDE) and seen.dtype == np.float32
    assert np.abs(seen[:3]).max() <= 1 and set(np.unique(seen[6].round(3))) == {0.0, 1.0}
    on = seen[6] > 0
    assert seen[3][on].min() < -0.4 < 0.4 < seen[3][on].max()


def test_a_bare_face_is_covered_by_nothing(view):
    found = _spread(predict_occlusion(view.picture, view.places), view)
    below = view.raster.mask & (np.arange(len(found))[:, None] > 0.35 * len(found))  # above is hair
    assert (found[below] > 0.5).mean() < 0.02


def test_hands_of_the_colour_of_the_face_are_found(view):
    mask, skin = view.raster.mask, np.median(view.picture[view.raster.mask], axis=0) / 255
    height, width = mask.shape
    rows, columns = np.nonzero(mask)
    place = (float(columns.mean()), float(rows.mean()), float(np.ptp(rows)))
    both = either = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        cover = hand_occluder(max(height, width), place, skin, rng)
        shown = composite(_squared(view.picture), cover, rng)[:height, :width]
        found = _spread(predict_occlusion(np.clip(255 * shown, 0, 255).astype(np.uint8), view.places), view) > 0.5
        truth = cover.opacity[:height, :width] > 0.5
        both += np.count_nonzero(found & truth & mask)
        either += np.count_nonzero((found | truth) & mask)
    assert both / either > 0.6


@pytest.mark.parametrize("content", [None, b"other weights"])
def test_missing_and_altered_weights_say_what_to_do(view, monkeypatch, tmp_path, content):
    if content is not None:
        (tmp_path / "occlusion.onnx").write_bytes(content)
    monkeypatch.setattr(network, "_NETWORK", tmp_path / "occlusion.onnx")
    network._session.cache_clear()
    with pytest.raises(ModelError, match="reinstall"):
        predict_occlusion(view.picture, view.places)
    monkeypatch.undo()
    assert predict_occlusion(view.picture, view.places).max() <= 1


def _spread(found, view):
    """Over the whole picture."""
    assert found.shape == (SIDE // 2, SIDE // 2) and 0 <= found.min() <= found.max() <= 1
    return cv2.resize(found, view.picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _squared(picture):
    """Continue a picture to a square, in [0, 1]."""
    height, width = picture.shape[:2]
    side = max(height, width)
    around = ((0, side - height), (0, side - width), (0, 0))
    return np.pad(picture, around, mode="edge").astype(np.float32) / 255
