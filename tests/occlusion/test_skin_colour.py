"""Colour transfer: smooth functions are recovered in spite of occluders."""

import numpy as np

from ddfa.occlusion.face_region import FaceSurface
from ddfa.occlusion.skin_colour import ColourBasis, brightness, contrast, log_colours, max_channel

FRONTAL = np.array([1, -1, 1], np.float32)  # head space to image axes


def test_a_fit_recovers_light_in_spite_of_an_occluder(surface: FaceSurface) -> None:
    colour_basis = ColourBasis(surface)
    basis = colour_basis(surface.normals(surface.mm * FRONTAL))
    rng = np.random.default_rng(0)
    truth = basis[:, :4] @ np.array([[-0.8] * 3, [0.3, 0.2, 0.2], [0.1] * 3, [0.2] * 3], np.float32)
    values = truth + rng.normal(0, 0.02, truth.shape)
    values[surface.mm[:, 0] > 25] = -3  # a dark object over one cheek
    smooth = basis @ colour_basis.fit(basis, values.astype(np.float32), surface.plain.astype(np.float32))
    clear = surface.plain & (surface.mm[:, 0] < 15)
    assert np.abs(smooth - truth)[clear].max() < 0.15
    assert np.median(np.abs(smooth - truth)) < 0.05


def test_a_constant_is_fitted_exactly_wherever_it_is_seen(surface: FaceSurface) -> None:
    colour_basis = ColourBasis(surface)
    basis = colour_basis(surface.normals(surface.mm * FRONTAL))
    values = np.tile(np.float32([-0.3, -0.7, -0.9]), (len(basis), 1))
    trust = (surface.mm[:, 0] < -10).astype(np.float32)
    np.testing.assert_allclose(basis @ colour_basis.fit(basis, values, trust), values, atol=1e-4)


def test_contrast_measures_brightness_and_hue_apart() -> None:
    trust = np.ones(4, np.float32)
    grey = np.float32([[0.2] * 3, [-0.2] * 3] * 2)
    np.testing.assert_allclose(contrast(grey, trust), [0.2, 0], atol=1e-6)
    hue = np.float32([[0.3, -0.3, 0], [-0.3, 0.3, 0]] * 2)
    np.testing.assert_allclose(contrast(hue, trust), [0, 0.3], atol=1e-6)
    np.testing.assert_allclose(contrast(grey, np.float32([1, 0, 0, 0])), [0.2, 0], atol=1e-6)


def test_log_colours_agree_for_both_types() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(-1, 1)
    np.testing.assert_allclose(log_colours(values), log_colours(values.astype(np.float32)), atol=1e-6)
    assert log_colours(np.uint8([255])) == 0 and log_colours(np.uint8([0])) == log_colours(np.uint8([8]))


def test_channel_reductions_equal_those_of_numpy() -> None:
    colours = np.random.default_rng(1).normal(0, 1, (5, 7, 3)).astype(np.float32)
    np.testing.assert_allclose(brightness(colours), colours.mean(axis=-1), atol=1e-6)
    np.testing.assert_array_equal(max_channel(colours), colours.max(axis=-1))
