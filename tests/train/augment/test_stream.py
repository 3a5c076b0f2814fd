"""The stream on the device: its batches, and its distribution beside that of the worker processes."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from ddfa.data.augmentation import Augmentation  # noqa: E402
from ddfa.data.sets.dataset import CropStream, LabelledPhotos  # noqa: E402
from ddfa.train.augment.parameters import draw_parameters  # noqa: E402
from ddfa.train.augment.photos import load_photos  # noqa: E402
from ddfa.train.augment.stream import DeviceCropStream  # noqa: E402

from ...conftest import make_labelled_photos  # noqa: E402

CPU = torch.device("cpu")
SIDE = 64


@pytest.fixture(scope="module")
def stream(labelled, head):
    return CropStream([LabelledPhotos.open(labelled, head)], (1.0,), head, resolution=SIDE)


@pytest.fixture(scope="module")
def batched(stream):
    return DeviceCropStream(stream, CPU, opencv=False)


@pytest.mark.parametrize("opencv", [False, True])
def test_a_batch_is_a_function_of_seed_and_step(stream, opencv):
    source = DeviceCropStream(stream, CPU, opencv=opencv)
    crops, labels = source.batch(20, [3, 5, 0])
    assert crops.shape == (20, SIDE, SIDE, 3) and crops.dtype == torch.uint8
    assert labels.shape == (20, 144) and labels.dtype == torch.float32
    list(source.batches(20, 3, 0, range(5)))
    (again,) = source.batches(20, 3, 0, range(5, 6))
    assert torch.equal(again[0], crops) and torch.equal(again[1], labels)
    other = source.batch(20, [3, 6, 0])
    assert not torch.equal(other[1], labels)


def test_batched_crops_are_those_of_opencv(stream, batched):
    """The whole sequence of operations, with the same random parameters; only the noise of pixels is another."""
    quiet = replace(stream, options=replace(stream.options, noise=0.0))
    crops, labels = DeviceCropStream(quiet, CPU, opencv=False).batch(64, [0])
    expected, expected_labels = DeviceCropStream(quiet, CPU, opencv=True).batch(64, [0])
    assert torch.equal(labels, expected_labels)
    difference = (crops.int() - expected.int()).abs().float()
    per_crop = difference.mean(dim=(1, 2, 3))
    assert float(per_crop.median()) < 0.3 and float(per_crop.max()) < 4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_crops_on_a_gpu_are_those_on_the_cpu(stream):
    quiet = replace(stream, options=replace(stream.options, noise=0.0))
    crops, labels = DeviceCropStream(quiet, torch.device("cuda")).batch(64, [0])
    expected, expected_labels = DeviceCropStream(quiet, CPU, opencv=False).batch(64, [0])
    assert crops.is_cuda and torch.equal(labels.cpu(), expected_labels)
    per_crop = (crops.cpu().int() - expected.int()).abs().float().mean(dim=(1, 2, 3))
    assert float(per_crop.median()) < 0.1 and float(per_crop.max()) < 4


def test_weights_of_units_follow_the_parameters(labelled, head):
    data = LabelledPhotos.open(labelled, head)
    weights = np.random.default_rng(0).uniform(0, 1, data.labels.expression.shape).astype(np.float32)
    weighted = replace(data, labels=replace(data.labels, visibility=weights))
    source = CropStream([data, weighted], (1.0, 1.0), head, resolution=16, options=Augmentation(mirror=0.5))
    labels = DeviceCropStream(source, CPU).batch(40, [0])[1].numpy()
    assert labels.shape == (40, 144 + 52)
    known = [source.weights(*key) for key in [(0, 0, False), *((1, k, m) for k in range(3) for m in (False, True))]]
    which = {next(k for k, own in enumerate(known) if np.array_equal(own, row)) for row in labels[:, 144:]}
    assert which == set(range(7))


def test_labels_are_whitened_as_those_of_the_workers(stream, batched):
    """Means and standard deviations of the labels over many crops, in units of the standard deviation."""
    expected = stream.sample_labels(1500, 0)
    found = torch.cat([batched_labels for _, batched_labels in small(stream).batches(500, 1, 0, range(3))]).numpy()
    spread = expected.std(axis=0) + 1e-3
    assert np.abs((found.mean(axis=0) - expected.mean(axis=0)) / spread).max() < 0.2
    np.testing.assert_allclose(found.std(axis=0) / spread, expected.std(axis=0) / spread, atol=0.15)


def small(stream):
    """Labels in the same frame, with the smallest crops."""
    return DeviceCropStream(replace(stream, resolution=16), CPU)


def statistics(crops: np.ndarray) -> dict[str, float]:
    """What degradations change, over crops (n, R, R, 3)."""
    sharpness = [float(np.log(1 + cv2.Laplacian(crop, cv2.CV_32F).var())) for crop in crops]
    saturation = (crops.max(axis=-1).astype(int) - crops.min(axis=-1)).mean(axis=(1, 2))
    each = crops.mean(axis=(1, 2, 3))
    return {
        "mean": float(each.mean()) / 255,
        "spread of means": float(each.std()) / 255,
        "contrast": float(crops.std(axis=(1, 2, 3)).mean()) / 255,
        "sharpness": float(np.mean(sharpness)) / 10,
        "spread of sharpness": float(np.std(sharpness)) / 10,
        "saturation": float(saturation.mean()) / 255,
        "black": float((crops == 0).all(axis=-1).mean()),
        "grey crops": float((saturation == 0).mean()),
    }


def test_degradations_have_the_statistics_of_the_workers(stream, batched):
    """Bounds are about four standard errors of 450 crops."""
    expected = statistics(stream.batch(450, [0])[0])
    found = statistics(torch.cat([crops for crops, _ in batched.batches(150, 0, 0, range(3))]).numpy())
    assert found == pytest.approx(expected, abs=0.035)


def test_photos_are_drawn_as_by_the_workers(labelled, head):
    """Shares of sets, expressive and turned faces."""
    photos = LabelledPhotos.open(labelled, head)
    photos = replace(photos, yaw_deg=np.array([0.0, -40.0, 24.0]))
    made = replace(photos, labels=replace(photos.labels, sources=photos.labels.names), yaw_deg=np.full(3, 60.0))
    stream = CropStream([photos, made], (1.0, 3.0), head, turned_share=0.3, turned_from=25, expressive=2.0)
    sets, index = stream.draw_photos(20_000, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    drawn = np.array([stream.draw(rng)[:2] for _ in range(4000)])
    for number in range(2):
        for place in range(3):
            share = np.mean((drawn[:, 0] == number) & (drawn[:, 1] == place))
            assert np.mean((sets == number) & (index == place)) == pytest.approx(share, abs=0.03)


def test_each_option_has_its_share():
    options = Augmentation()
    p = draw_parameters(40_000, 120, options, np.random.default_rng(0))
    shares = {
        "mirrored": options.mirror,
        "occlude": options.occlude,
        "recolour": options.colour,
        "grey": options.grey,
        "shade": options.shade,
        "gaussian": 0.6 * options.blur + (1 - options.blur) * options.sharpen,
        "motion": 0.4 * options.blur,
        "shrink": options.shrink,
        "noise": options.noise,
        "jpeg": options.jpeg,
        "reflected": 0.35,
        "ellipse": 0.5,
    }
    for name, share in shares.items():
        assert getattr(p, name).mean() == pytest.approx(share, abs=0.01), name
    assert np.mean(p.border.any(axis=1)) == pytest.approx(0.1, abs=0.01)
    assert np.bincount(p.cover) / len(p) == pytest.approx([0.4, 0.2, 0.4], abs=0.01)
    assert np.rad2deg(p.roll).std() == pytest.approx(14 * np.sqrt(0.8 + 0.2 * 9), rel=0.03)
    assert p.shift.std() == pytest.approx(0.04 * np.sqrt(0.8 + 0.2 * 2.5**2), rel=0.03)
    assert p.side.min() >= 24 and p.side.max() < 84 and set(p.motion_length) == {3, 4, 5, 6, 7}


def test_photos_that_change_are_decoded_again(head, tmp_path):
    folder = make_labelled_photos(tmp_path / "data")

    def first_photo():
        stream = CropStream([LabelledPhotos.open(folder, head)], (1.0,), head, resolution=16)
        return DeviceCropStream(stream, CPU, tmp_path / "cache").photos.image(0)

    before = first_photo()
    np.testing.assert_array_equal(first_photo(), before)
    assert len(list((tmp_path / "cache").iterdir())) == 2
    cv2.imwrite(str(folder / "photos" / "0.png"), 255 - before[..., ::-1])
    np.testing.assert_array_equal(first_photo(), 255 - before)


def test_photos_are_cached_in_a_memory_mapped_file(tmp_path):
    photos = [np.full((k + 2, 3, 3), 40 * k, np.uint8) + np.arange(3, dtype=np.uint8) for k in range(4)]
    decoded = []

    def reader(k):
        return lambda: decoded.append(k) or photos[k]

    names = [f"{k}.png" for k in range(4)]
    for folder in (None, tmp_path, tmp_path):
        store = load_photos([reader(k) for k in range(4)], names, folder)
        assert len(store) == 4
        for k, photo in enumerate(photos):
            np.testing.assert_array_equal(store.image(k), photo)
    assert len(decoded) == 2 * 2 * 4  # sizes and pixels, without and with a cache; the third run reads the files
    assert len(list(tmp_path.iterdir())) == 2
