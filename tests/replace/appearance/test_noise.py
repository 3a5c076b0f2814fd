"""Noise matching: sharpness and noise of a rendered face become those of the image around it."""

import cv2
import numpy as np

from ddfa.occlusion.temporal import TemporalState
from ddfa.replace.appearance.noise import match_noise


def texture(seed, blur):
    grey = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 60, (96, 96)).astype(np.float32), (0, 0), blur)
    return np.clip(128 + np.repeat(grey[..., None], 3, axis=2), 0, 255)


def finest(image):
    grey = image.astype(np.float32).mean(axis=2)
    return float((grey - cv2.GaussianBlur(grey, (0, 0), 0.7)).std())


WHERE = np.ones((96, 96), bool)


def test_a_sharp_face_is_softened_to_its_image():
    sharp, soft = texture(0, 0.8), texture(1, 2.0)
    result = match_noise(sharp.astype(np.float32), soft.astype(np.uint8), WHERE, TemporalState())
    assert finest(result) < min(2.5 * finest(soft), finest(sharp) / 3)
    assert np.abs(result.mean(axis=(0, 1)) - sharp.mean(axis=(0, 1))).max() < 1


def test_noise_is_added_up_to_a_limit():
    soft = texture(0, 3.0)
    noise = np.random.default_rng(5).normal(0, 1, soft.shape[:2])[..., None]
    for spread, least, most in ((4, 0.5, 4), (60, 3, 6)):
        noisy = np.clip(soft + spread * noise, 0, 255).astype(np.uint8)
        added = finest(match_noise(soft.astype(np.float32), noisy, WHERE, TemporalState()))
        assert least < added < most and added < finest(noisy)


def test_a_matching_face_and_few_pixels_change_nothing():
    image = texture(0, 1.0).astype(np.uint8)
    drawn = image.astype(np.float32)
    np.testing.assert_allclose(match_noise(drawn, image, WHERE, TemporalState()), drawn, atol=1e-3)
    assert match_noise(drawn, 255 - image // 2, np.zeros((96, 96), bool), TemporalState()) is drawn


def test_added_noise_does_not_flicker_in_a_video():
    soft, memory = texture(0, 3.0), TemporalState()
    noisy = [np.clip(soft + np.random.default_rng(k).normal(0, 5, soft.shape), 0, 255).astype(np.uint8) for k in (1, 2)]
    first, second = (match_noise(soft.astype(np.float32), image, WHERE, memory) for image in noisy)
    assert np.abs(first - second).max() < 1 < np.abs(first - soft).max()
