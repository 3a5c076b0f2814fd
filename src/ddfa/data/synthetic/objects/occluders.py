"""Occluders, and their compositing over an image."""

from typing import NamedTuple

import cv2
import numpy as np

from ddfa.arrays import Float32, Floats
from ddfa.data.synthetic.backdrops import random_colour
from ddfa.raster.blending import blend


class Occluder(NamedTuple):
    """An occluder.

    Attributes:
        colours: (S, S, 3) float32 RGB, 1 is white.
        opacity: (S, S) float32 in [0, 1].
    """

    colours: Float32
    opacity: Float32


def composite(image: Float32, occluder: Occluder, rng: np.random.Generator) -> Float32:
    """Composite an occluder over an image, with the shadow that it casts.

    Args:
        image: (S, S, 3) float32 RGB.
        occluder: of the same size.
        rng: source of randomness.
    """
    size = len(occluder.opacity)
    shadow = cv2.GaussianBlur(occluder.opacity, (0, 0), size * float(rng.uniform(0.006, 0.05)))
    away = size * rng.normal([0, 0.01], 0.022)
    shadow = cv2.warpAffine(shadow, np.array([[1, 0, away[0]], [0, 1, away[1]]]), (size, size))
    under = image * (1 - rng.uniform(0, 0.6) * shadow[..., None])
    return blend(np.asarray(under, np.float32), occluder.colours, occluder.opacity)


def object_occluder(size: int, rng: np.random.Generator) -> Occluder:
    """Draw an object held in front of the middle of an image, such as a cup, a microphone or a phone.

    Args:
        size: of the image in px.
        rng: source of randomness.
    """
    width = size * rng.uniform(0.06, 0.17)
    place = size * (0.5 + rng.uniform(-0.3, 0.3, 2)) + [0, 0.15 * size]
    bearing = rng.uniform(-0.6, 0.6) + np.pi / 2
    end = place + size * rng.uniform(0.1, 0.9) * np.array([np.cos(bearing), np.sin(bearing)])
    height = _capsule(size, place, end, width)
    slope_y, slope_x = np.gradient(cv2.GaussianBlur(height, (0, 0), 0.08 * width))
    light = rng.normal(0, 0.25, 2)
    brightness = (1 + light[0] * slope_x + light[1] * slope_y) / np.sqrt(1 + slope_x**2 + slope_y**2)
    lit = random_colour(rng) * (0.35 + 0.65 * np.clip(brightness, 0.1, 1.4))[..., None]
    soft = np.asarray(cv2.GaussianBlur((height > 0).astype(np.float32), (0, 0), 0.8), np.float32)
    return Occluder(np.clip(lit, 0, 1).astype(np.float32), soft)


def _capsule(size: int, start: Floats, end: Floats, width: float) -> Float32:
    """Height of a capsule above each pixel, (size, size) px."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    edge = end - start
    share = np.clip(((x - start[0]) * edge[0] + (y - start[1]) * edge[1]) / max(float(edge @ edge), 1e-6), 0, 1)
    away = (x - start[0] - share * edge[0]) ** 2 + (y - start[1] - share * edge[1]) ** 2
    return np.asarray(np.sqrt(np.maximum((width / 2) ** 2 - away, 0)), np.float32)
