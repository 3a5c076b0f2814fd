import sys

import cv2
import numpy as np
import pytest

from ddfa.regress.crop import affine_crop
from ddfa.regress.sampling import COMPILED_FROM, best_sampler, network_crops, sample_reference
from ddfa.regress.sampling_kernel import sample
from ddfa.regress.session import network_inputs

ROIS = [
    [100.3, 50.7, 270.9, 221.3],
    [99.5, 29.5, 219.5, 149.5],
    [10.2, 11.3, 50.5, 51.6],
    [50.3, 20.1, 350.7, 320.5],
    [-0.7, 2.1, 399.2, 401.8],
    [-30.2, -40.1, 100.3, 90.4],
    [400.2, 300.1, 700.3, 600.2],
    [-300.0, -300.0, -180.0, -180.0],
    [10.1, 10.1, 10.3, 10.3],
]


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    return cv2.resize(rng.integers(0, 256, (40, 50, 3), np.uint8), (500, 400), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("sampler", [sample, sample_reference])
@pytest.mark.parametrize("roi", ROIS)
def test_samplers_agree_with_the_affine_crop(image, roi, sampler) -> None:
    """Up to its rounding to 8 bits: once for the crop, once more for the averages of large faces."""
    expected = network_inputs(affine_crop(image, roi, 120)[None], "RGB")
    allowed = 0.51 if roi[2] - roi[0] < 240 else 1.01
    np.testing.assert_allclose(128 * network_crops(image, [roi], 120, sampler), 128 * expected, atol=allowed)


def test_kernel_agrees_with_the_reference(image) -> None:
    rois = np.array(ROIS)
    reference, fast = (network_crops(image, rois, 120, sampler) for sampler in (sample_reference, sample))
    small = rois[:, 2] - rois[:, 0] < 240
    np.testing.assert_allclose(fast[small], reference[small], atol=1e-6)
    np.testing.assert_allclose(fast, reference, atol=0.51 / 128)  # OpenCV rounds its averages


def test_views_of_images_are_sampled(image) -> None:
    turned = image.transpose(1, 0, 2)[:, ::-1]
    expected = network_crops(turned.copy(), [ROIS[0]], 120, sample_reference)
    np.testing.assert_allclose(network_crops(turned, [ROIS[0]], 120, sample), expected, atol=1e-6)


def test_numba_is_loaded_only_for_many_crops(monkeypatch) -> None:
    assert best_sampler(1) is sample  # loaded by this test
    monkeypatch.delitem(sys.modules, "numba")
    assert best_sampler(1) is sample_reference
    assert best_sampler(COMPILED_FROM) is sample


def test_rounding_never_leads_out_of_the_image():
    image = np.random.default_rng(5).integers(0, 256, (240, 240, 3), np.uint8)
    # Edges at whole pixels put the last sample on, or within rounding of, the centre of the last block.
    rois = [(0.5 - e, 0.5 - e, 240.5 - e, 240.5 - e) for e in (0.0, 1e-13, -1e-13)] + [(60, 60, 180, 180)]
    reference, fast = (network_crops(image, rois, 120, sampler) for sampler in (sample_reference, sample))
    np.testing.assert_allclose(reference, fast, atol=0.006)
    assert np.isfinite(fast).all() and np.abs(fast).max() <= 1
