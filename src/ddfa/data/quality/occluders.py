"""Synthetic occluders that follow the landmarks of a face: sunglasses, surgical masks and hair over the forehead.

They are 2D shapes with exact masks; hands and other objects are those of `ddfa.data.synthetic.objects`.
"""

from typing import Any, Final

import cv2
import numpy as np

from ddfa.arrays import Float32, Floats
from ddfa.data.synthetic.backdrops import random_colour
from ddfa.data.synthetic.noise import smooth_noise
from ddfa.data.synthetic.objects.occluders import Occluder

# iBUG-68: (brow, lids, jaw point beside the eye), on the left and on the right of an image of a frontal face.
_EYES: Final = ((range(17, 22), range(36, 42), 0), (range(22, 27), range(42, 48), 16))
_BRIDGE, _NOSE_TIP, _CHIN = 27, 30, 8
_FIXED: Final = 4  # fractional bits of the coordinates passed to OpenCV


def sunglasses(landmarks: Floats, size: int, rng: np.random.Generator) -> Occluder:
    """Draw dark or tinted glasses in front of both eyes.

    Args:
        landmarks: (68, >=2) px.
        size: side S of the image in px.
        rng: source of randomness.

    Returns:
        The glasses, (S, S).
    """
    height = float(np.linalg.norm(landmarks[_BRIDGE, :2] - landmarks[_CHIN, :2]))
    stretch, rise = rng.uniform(0.75, 1.15), rng.uniform(0.12, 0.22) * height
    round_lenses = rng.random() < 0.5
    mask, frame = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    thickness = max(1, round(rng.uniform(0.01, 0.035) * height))
    middles = []
    for _, lids, jaw in _EYES:
        points = np.asarray(landmarks[list(lids), :2], np.float32)
        middle, across = points.mean(axis=0), points[3] - points[0]
        middles.append(middle)
        angle = float(np.degrees(np.arctan2(across[1], across[0])))
        box = (_pair(middle), (2 * stretch * float(np.linalg.norm(across)), 2 * rise), angle)
        if round_lenses:
            cv2.ellipse(mask, box, 1.0, -1)
        else:
            _fill(mask, cv2.boxPoints(box))
        _line(frame, middle, landmarks[jaw, :2], thickness)
    _line(frame, middles[0], middles[1], thickness)
    shade = random_colour(rng) * (0.15 if rng.random() < 0.7 else 0.8)
    colours = np.broadcast_to(shade, (size, size, 3)) * (1 + 0.15 * smooth_noise(rng, size, (3.0, 3.0)))
    colours = colours + _glint(size, rng) * (rng.random() < 0.5)
    opacity = np.maximum(mask * rng.uniform(0.75, 1.0), frame)
    return _occluder(colours, opacity, 0.6)


def surgical_mask(landmarks: Floats, size: int, rng: np.random.Generator) -> Occluder:
    """Draw a mask or scarf from the nose down, or one that has slipped below it; arguments as of `sunglasses`."""
    points = np.asarray(landmarks[:, :2], np.float64)
    top = points[_BRIDGE] + rng.uniform(0.15, 1.1) * (points[_NOSE_TIP] - points[_BRIDGE])
    if rng.random() < 0.12:
        top = points[33] + rng.uniform(0.0, 0.5) * (points[51] - points[33])
    first = int(rng.integers(1, 4))
    jaw = points[first : 17 - first]
    outline = np.vstack([top, jaw[::-1], top])
    chin = points[_CHIN] - points[_BRIDGE]
    outline[1:-1] += rng.uniform(0.0, 0.12) * chin
    mask = np.zeros((size, size), np.float32)
    _fill(mask, outline)
    colour = np.array([0.55, 0.7, 0.85]) if rng.random() < 0.35 else random_colour(rng)
    if rng.random() < 0.25:
        colour = np.full(3, rng.uniform(0.75, 0.95))
    folds = 1 + rng.uniform(0, 0.12) * smooth_noise(rng, size, (float(rng.uniform(4, 14)), 3.0))
    soft = 1 + rng.uniform(0.05, 0.25) * smooth_noise(rng, size, (3.0, 3.0))
    return _occluder(colour * folds * soft, mask, rng.uniform(0.5, 1.2))


def fringe(landmarks: Floats, size: int, rng: np.random.Generator) -> Occluder:
    """Draw hair over the forehead, down to the brows or over one or both eyes; arguments as of `sunglasses`."""
    points = np.asarray(landmarks[:, :2], np.float64)
    up = points[_BRIDGE] - points[_CHIN]
    scale = float(np.linalg.norm(up))
    up /= max(scale, 1e-6)
    brows = points[17:27]
    drop = rng.uniform(-0.05, 0.4) * np.linspace(1, rng.uniform(-0.2, 1), len(brows))
    if rng.random() < 0.5:
        drop = drop[::-1]
    lower = brows - up * scale * (drop + rng.normal(0, 0.03, len(brows)))[:, None]
    sides = np.array([[*points[0]], [*points[16]]]) + up * scale * rng.uniform(-0.1, 0.5, (2, 1))
    beyond = np.vstack([points[17] + up * 1.5 * scale, points[26] + up * 1.5 * scale])
    outline = np.vstack([beyond[0], sides[0], lower, sides[1], beyond[1]])
    mask = np.zeros((size, size), np.float32)
    _fill(mask, outline)
    tone = np.array([0.35, 0.24, 0.16]) * np.exp(rng.normal(-0.4, 0.7)) * rng.uniform(0.85, 1.15, 3)
    strands = smooth_noise(rng, size, (float(rng.uniform(3, 8)), float(rng.uniform(30, 60))))
    colours = tone * (1 + rng.uniform(0.15, 0.5) * strands)
    ragged = mask * (1 - rng.uniform(0, 0.5) * (strands[..., 0] > rng.uniform(0.3, 1.5)))
    return _occluder(colours, ragged, rng.uniform(0.5, 1.0))


def _occluder(colours: Floats, opacity: Floats, blur: float) -> Occluder:
    soft = np.asarray(cv2.GaussianBlur(np.asarray(opacity, np.float32), (0, 0), blur), np.float32)
    return Occluder(np.clip(colours, 0, 1).astype(np.float32), soft)


def _glint(size: int, rng: np.random.Generator) -> Float32:
    """A bright diagonal band, as a window reflects on a lens; (S, S, 1)."""
    along = np.arange(size, dtype=np.float32)
    distance = np.abs(along[:, None] * rng.uniform(-1, 1) + along[None] - size * rng.uniform(0.2, 0.8))
    return np.asarray(0.5 * np.exp(-((distance / (0.08 * size)) ** 2))[..., None], np.float32)


def _fill(mask: Float32, outline: Any) -> None:
    fixed = np.rint(np.asarray(outline, np.float64) * 2**_FIXED).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 1.0, cv2.LINE_8, _FIXED)


def _line(mask: Float32, start: Floats, end: Floats, thickness: int) -> None:
    first, last = ((round(float(v[0])), round(float(v[1]))) for v in (start, end))
    cv2.line(mask, first, last, 1.0, thickness)


def _pair(point: Floats) -> tuple[float, float]:
    return float(point[0]), float(point[1])
