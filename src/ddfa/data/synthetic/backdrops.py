"""What stands behind and before a head: grounds without photos, hands and other things in the way."""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float32, Floats
from ddfa.data.synthetic.noise import smooth_noise
from ddfa.render.blending import blend

_FINGERS: Final = 4


def random_colour(rng: np.random.Generator) -> Float32:
    """A colour of things, RGB (3,) in [0, 1]: dull ones are more frequent than bright ones."""
    grey = rng.beta(1.1, 1.5)
    return np.clip(grey + rng.beta(1, 2.5) * rng.uniform(-0.5, 0.5, 3), 0.01, 0.97).astype(np.float32)


def random_backdrop(size: int, rng: np.random.Generator) -> Float32:
    """A ground out of blobs, walls, edges and lights, (size, size, 3) float32 RGB in [0, 1]."""
    colours = np.stack([random_colour(rng) for _ in range(2)])
    ramp = np.linspace(0, 1, size, dtype=np.float32)
    share = ramp[:, None] * rng.uniform(-1, 1) + ramp[None] * rng.uniform(-1, 1) + rng.uniform(0, 1)
    ground = blend(np.broadcast_to(colours[0], (size, size, 3)), colours[1], np.clip(share, 0, 1))
    cells = float(rng.uniform(2, 14))
    ground = ground + rng.uniform(0, 0.12) * smooth_noise(rng, size, (cells, cells))
    ground = np.ascontiguousarray(ground, np.float32)
    for _ in range(int(rng.integers(0, 14))):
        colour = tuple(float(v) for v in random_colour(rng))
        x, y, w, h = (int(v) for v in rng.uniform([-0.2, -0.2, 0.05, 0.05], [1, 1, 0.7, 0.9]) * size)
        if rng.random() < 0.6:
            cv2.rectangle(ground, (x, y), (x + w, y + h), colour, -1)
        else:
            cv2.circle(ground, (x, y), w // 3 + 1, colour, -1)
    blur = rng.uniform(0.3, 7)
    return np.clip(cv2.GaussianBlur(ground, (0, 0), blur), 0, 1).astype(np.float32)


def cover_with_hand(picture: Float32, skin: Float32, rng: np.random.Generator) -> Float32:
    """Lay a hand over part of a face: fingers, palm and forearm, rounded by shading.

    Args:
        picture: (S, S, 3) float32 RGB in [0, 1].
        skin: (3,) its colour as it appears in the picture.
        rng: source of randomness.
    """
    size = picture.shape[0]
    unit = size * rng.uniform(0.05, 0.075)  # thickness of a finger
    bearing = rng.uniform(-1.1, 1.1) - np.pi / 2  # fingers point upwards, more or less
    along = np.array([np.cos(bearing), np.sin(bearing)])
    across = np.array([-along[1], along[0]])
    tip = size * (0.5 + rng.uniform(-0.24, 0.24, 2)) + 0.08 * size
    spread = rng.uniform(0.95, 1.25)
    height = np.zeros((size, size), np.float32)
    for finger in range(_FINGERS):
        offset = (finger - 1.5) * spread * unit
        end = tip + across * offset - along * unit * (0.5 * abs(finger - 1.3)) * rng.uniform(0.6, 1.4)
        start = tip + across * offset * 0.9 - along * unit * 4.5
        _capsule(height, start, end, unit * rng.uniform(0.9, 1.05))
    palm = tip - along * unit * 6
    _capsule(height, palm - across * unit, palm + across * unit, unit * 3.4)
    _capsule(height, palm, palm - along * size, unit * 2.8)
    _capsule(height, palm + across * unit * 2, palm + across * unit * 3.4 + along * unit * 2, unit * 1.1)
    return _lit(picture, height, unit, skin * rng.uniform(0.8, 1.1), rng)


def cover_with_thing(picture: Float32, rng: np.random.Generator) -> Float32:
    """Hold something before the face: a cup, a microphone, a phone."""
    size = picture.shape[0]
    width = size * rng.uniform(0.06, 0.17)
    place = size * (0.5 + rng.uniform(-0.3, 0.3, 2)) + [0, 0.15 * size]
    bearing = rng.uniform(-0.6, 0.6) + np.pi / 2
    end = place + size * rng.uniform(0.1, 0.9) * np.array([np.cos(bearing), np.sin(bearing)])
    height = np.zeros((size, size), np.float32)
    _capsule(height, place, end, width)
    return _lit(picture, height, width, random_colour(rng), rng)


def _capsule(height: Float32, start: Floats, end: Floats, width: float) -> None:
    """Raise a rounded bar to its height in px, where it is the highest."""
    size = height.shape[0]
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    edge = end - start
    share = np.clip(((x - start[0]) * edge[0] + (y - start[1]) * edge[1]) / max(float(edge @ edge), 1e-6), 0, 1)
    away = (x - start[0] - share * edge[0]) ** 2 + (y - start[1] - share * edge[1]) ** 2
    np.maximum(height, np.sqrt(np.maximum((width / 2) ** 2 - away, 0)), out=height)


def _lit(picture: Float32, height: Float32, unit: float, colour: Floats, rng: np.random.Generator) -> Float32:
    slope_y, slope_x = np.gradient(cv2.GaussianBlur(height, (0, 0), 0.08 * unit))
    light = rng.normal(0, 0.25, 2)
    brightness = (1 + light[0] * slope_x + light[1] * slope_y) / np.sqrt(1 + slope_x**2 + slope_y**2)
    cover = np.asarray(cv2.GaussianBlur((height > 0).astype(np.float32), (0, 0), 0.8), np.float32)
    over = np.clip(colour * (0.35 + 0.65 * np.clip(brightness, 0.1, 1.4))[..., None], 0, 1)
    shadow = cv2.GaussianBlur((height > 0).astype(np.float32), (0, 0), 0.3 * unit)
    return blend(picture * (1 - 0.35 * shadow[..., None]), over, cover)
