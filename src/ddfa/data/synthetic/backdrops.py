"""Procedural backgrounds, and random colours of objects."""

import cv2
import numpy as np

from ddfa.arrays import Float32
from ddfa.data.synthetic.noise import smooth_noise
from ddfa.raster.blending import blend


def random_colour(rng: np.random.Generator) -> Float32:
    """Draw the colour of an object, RGB (3,) in [0, 1]: dull colours are more frequent than bright ones."""
    grey = rng.beta(1.1, 1.5)
    return np.clip(grey + rng.beta(1, 2.5) * rng.uniform(-0.5, 0.5, 3), 0.01, 0.97).astype(np.float32)


def random_backdrop(size: int, rng: np.random.Generator) -> Float32:
    """Draw a background of gradients, blobs, rectangles and discs, (size, size, 3) float32 RGB in [0, 1]."""
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
