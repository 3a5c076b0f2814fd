"""Each operation on the device against its reference implementation, for the same random parameters."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from ddfa.data import degradations as reference  # noqa: E402
from ddfa.data.augmentation import Augmentation, crop_affine, warp_with_border  # noqa: E402
from ddfa.data.sets.dataset import rescaled  # noqa: E402
from ddfa.data.sets.labels import label_in_crop  # noqa: E402
from ddfa.errors import DataError  # noqa: E402
from ddfa.train.augment import filters, photometric  # noqa: E402
from ddfa.train.augment.geometry import crop_affines, inverses, labels_in_crops, rescaled_affines  # noqa: E402
from ddfa.train.augment.jpeg import jpeg  # noqa: E402
from ddfa.train.augment.occlusion import occlude, occluder_masks  # noqa: E402
from ddfa.train.augment.parameters import CropParameters, draw_parameters  # noqa: E402
from ddfa.train.augment.photos import load_photos  # noqa: E402
from ddfa.train.augment.warp import warp  # noqa: E402

COUNT = 24
EVERYTHING = Augmentation(occlude=1, colour=1, shade=1, grey=1, blur=0.5, sharpen=1, shrink=1, noise=1, jpeg=1)


def natural(size: int, count: int = COUNT, seed: int = 0) -> np.ndarray:
    """Images (count, size, size, 3) uint8 with structure at several scales."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, size, size, 3))
    for cells, strength in ((4, 60), (13, 30), (size, 8)):
        for image in images:
            image += strength * cv2.resize(
                rng.normal(size=(cells, cells, 3)), (size, size), interpolation=cv2.INTER_CUBIC
            )
    return np.clip(images + 120, 0, 255).astype(np.uint8)


def as_crops(images: np.ndarray) -> "torch.Tensor":
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().contiguous()


def as_images(crops: "torch.Tensor") -> np.ndarray:
    images = crops.permute(0, 2, 3, 1).numpy()
    assert (images == images.round()).all() and images.min() >= 0 and images.max() <= 255
    return images.astype(np.uint8)


def levels(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Absolute differences in grey levels."""
    return np.abs(found.astype(int) - expected.astype(int))


@pytest.fixture(scope="module", params=[120, 64])
def size(request) -> int:
    return request.param


@pytest.fixture(scope="module")
def images(size) -> np.ndarray:
    return natural(size)


@pytest.fixture(scope="module")
def drawn(size) -> CropParameters:
    return draw_parameters(COUNT, size, EVERYTHING, np.random.default_rng(1))


def tensors(*arrays: np.ndarray) -> "list[torch.Tensor]":
    return [torch.from_numpy(a.astype(np.float32) if a.dtype == np.float64 else a) for a in arrays]


def test_geometry_and_labels_are_those_of_the_reference(head):
    rng = np.random.default_rng(0)
    p = draw_parameters(COUNT, 120, Augmentation(), rng)
    landmarks = rng.uniform(20, 140, (COUNT, 68, 2)).astype(np.float32)
    affine = crop_affines(landmarks, 120, p.roll, p.mirrored, p.shift, p.log_scale)
    pose = rng.normal(size=(COUNT, 3, 4)).astype(np.float32)
    identity = rng.normal(size=(COUNT, 80)).astype(np.float32)
    expression = rng.uniform(size=(COUNT, 52)).astype(np.float32)
    labels = labels_in_crops(pose, identity, expression, affine, p.mirrored, 120, head)
    small, back = rescaled_affines(affine, 0.5), inverses(affine)
    assert p.mirrored.any() and not p.mirrored.all() and labels.dtype == np.float32
    for k in range(COUNT):
        one = crop_affine(landmarks[k], 120, p.roll[k], bool(p.mirrored[k]), p.shift[k], p.log_scale[k])
        np.testing.assert_allclose(affine[k], one, rtol=1e-6, atol=1e-5)  # float32 landmarks
        parts = (pose[k], identity[k], expression[k], affine[k], bool(p.mirrored[k]), 120, head)
        np.testing.assert_allclose(labels[k], label_in_crop(*parts), rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(small[k], rescaled(affine[k], 0.5))
        point = affine[k, :, :2] @ [3.0, 7.0] + affine[k, :, 2]
        np.testing.assert_allclose(back[k, :, :2] @ point + back[k, :, 2], [3, 7], atol=1e-9)


def test_a_head_without_mirror_maps_is_not_mirrored(head):
    plain = replace(head, identity_mirror=None, expression_mirror=None)
    parts = np.ones((1, 3, 4)), np.ones((1, 80), np.float32), np.ones((1, 52), np.float32), np.ones((1, 2, 3))
    labels_in_crops(*parts, np.array([False]), 120, plain)
    with pytest.raises(DataError, match="mirror=0"):
        labels_in_crops(*parts, np.array([True]), 120, plain)


@pytest.mark.parametrize("zoom", [1.4, 0.8, 0.45, 0.2])
@pytest.mark.parametrize("reflected", [False, True])
def test_warp(zoom, reflected):
    """Photos of different sizes, seen from inside and beyond their borders, up to a reduction of 5."""
    rng = np.random.default_rng(3)
    photos = [natural(int(side), 1, k)[0][: int(side) - k] for k, side in enumerate(rng.integers(90, 200, 6))]
    store = load_photos([lambda photo=photo: photo for photo in photos], [str(k) for k in range(6)], None)
    roll, side = rng.uniform(-3, 3, 6), 80
    linear = zoom * np.stack(
        [np.stack([np.cos(roll), -np.sin(roll)], -1), np.stack([np.sin(roll), np.cos(roll)], -1)], 1
    )
    linear[::2, 0] *= -1
    centre = np.array([[p.shape[1], p.shape[0]] for p in photos]) / 2
    shift = (side - 1) / 2 - (linear @ centre[..., None])[..., 0]
    affine = np.concatenate([linear, shift[..., None]], axis=-1)
    border = rng.integers(0, 256, (6, 3))
    found = as_images(warp(store, np.arange(6), affine, side, np.full(6, reflected), border))
    for k in range(6):
        expected = warp_with_border(photos[k], affine[k], side, None if reflected else border[k])
        difference = levels(found[k], expected)
        assert difference.mean() < 0.15 and np.quantile(difference, 0.999) <= 3


def test_recolour(images, drawn):
    p = drawn
    found = as_images(photometric.recolour(as_crops(images), *tensors(p.gain, p.gamma, p.brightness)))
    expected = np.stack([
        reference.recolour(image, p.gain[k], p.gamma[k], p.brightness[k]) for k, image in enumerate(images)
    ])  # fmt: skip
    difference = levels(found, expected)
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-3


def test_grey(images):
    found = as_images(photometric.to_grey(as_crops(images)))
    assert levels(found, np.stack([reference.to_grey(image) for image in images])).max() <= 1


def test_shade(images, drawn):
    p = drawn
    parameters = p.shade_angle, p.shade_reach, p.shade_origin, p.shade_depth
    found = as_images(photometric.shade(as_crops(images), *tensors(*parameters)))
    expected = np.stack([reference.shade(image, *(v[k] for v in parameters)) for k, image in enumerate(images)])
    difference = levels(found, expected)
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-3


def test_noise(images):
    noise = np.random.default_rng(0).normal(0, 20, images.shape).astype(np.float32)
    found = as_images(photometric.add_noise(as_crops(images), as_crops(noise)))
    np.testing.assert_array_equal(found, reference.add_noise(images, noise))


def test_sharpening_and_blur(images, drawn):
    p = drawn
    found = as_images(filters.sharpen(as_crops(images), *tensors(p.sigma, p.amount)))
    assert (p.amount == -1).any() and (p.amount > 0).any()
    for k, image in enumerate(images):
        blurred = p.amount[k] == -1
        sigma, amount = p.sigma[k], p.amount[k]
        expected = reference.gaussian_blur(image, sigma) if blurred else reference.sharpen(image, sigma, amount)
        # OpenCV rounds the weights of a Gaussian to 1/256.
        assert levels(found[k], expected).max() <= (2 if blurred else 4) and levels(found[k], expected).mean() < 0.5


def test_motion_blur(images, drawn):
    p = drawn
    steps, weights = filters.motion_taps(p.motion_length, p.motion_angle)
    found = as_images(filters.motion_blur(as_crops(images), *tensors(steps, weights)))
    for k, image in enumerate(images):
        kernel = reference.motion_kernel(int(p.motion_length[k]), p.motion_angle[k])
        assert levels(found[k], reference.motion_blur(image, kernel)).max() <= 1


def test_low_resolution(images, drawn):
    found = as_images(filters.shrink(as_crops(images), *tensors(drawn.side)))
    for image, side, own in zip(images, drawn.side, found, strict=True):
        assert levels(own, reference.shrink(image, int(side))).max() <= 2


def test_jpeg(images, drawn):
    """A coefficient on a boundary of the quantiser may be rounded differently, and with it its 8 x 8 px."""
    found = as_images(jpeg(as_crops(images), *tensors(drawn.quality)))
    expected = np.stack([reference.jpeg(image, int(q)) for image, q in zip(images, drawn.quality, strict=True)])
    difference = levels(found, expected)
    assert levels(expected, images).mean() > 3  # there are artefacts
    assert difference.mean() < 0.25 and np.quantile(difference, 0.99) <= 4


def test_jpeg_of_sides_that_are_no_multiple_of_blocks():
    for side in (33, 50, 75):
        images = natural(side, 4)
        found = as_images(jpeg(as_crops(images), torch.tensor([20, 50, 51, 69])))
        expected = [reference.jpeg(image, q) for image, q in zip(images, (20, 50, 51, 69), strict=True)]
        assert levels(found, np.stack(expected)).mean() < 0.25


def test_occluders_cover_the_same_pixels(drawn, size):
    p = drawn
    found = occluder_masks(size, *tensors(p.centre, p.axes, p.angle, p.ellipse))[:, 0].numpy()
    shapes = p.centre, p.axes, p.angle, p.ellipse
    expected = np.stack([reference.occluder_mask(size, *(v[k] for v in shapes)) for k in range(COUNT)])
    for own, other in zip(found, expected, strict=True):
        inside, outside = (cv2.distanceTransform(np.uint8(m), cv2.DIST_L2, 3) for m in (other, ~other))
        assert (inside + outside)[own != other].max(initial=0) < 2.5  # OpenCV rounds corners to whole pixels
    assert found.sum() == pytest.approx(expected.sum(), rel=0.01)


def test_occluders_show_what_those_of_the_reference_show(images, drawn, size):
    p, crops = drawn, as_crops(images)
    occlude(crops, p)
    found = as_images(crops)
    assert set(p.cover) == {0, 1, 2}
    for k, image in enumerate(images):
        y, x = p.offset[k]
        cover = (
            np.broadcast_to(p.colour[k], image.shape),
            reference.coarse_texture(p.coarse[k], size),
            np.roll(image, (int(y), int(x)), axis=(0, 1)),
        )[p.cover[k]]
        mask = occluder_masks(size, *(t[k : k + 1] for t in tensors(p.centre, p.axes, p.angle, p.ellipse)))[
            0, 0
        ].numpy()
        assert levels(found[k], reference.occlude(image, mask, cover)).max() <= 1
