"""Tongues rendered into mouths of photos: the mesh teacher has no score for `tongueOut`, so photos provide no label."""

from typing import Final

import cv2
import numpy as np

from ddfa.arrays import Float64, Floats, UInt8
from ddfa.data.pseudo_labels.mesh_points import OBSERVED_POINTS

_SUPERSAMPLING: Final = 4
_NUMBER = {point: number for number, point in enumerate(OBSERVED_POINTS)}


def draw_tongue(image: UInt8, points: Floats, random: np.random.Generator) -> tuple[UInt8, float]:
    """Render a tongue that sticks out of the mouth.

    Args:
        image: (H, W, 3) uint8 RGB.
        points: (P, 2) mesh points `mesh_points.OBSERVED_POINTS`, image px.
        random: samples its shape and colour.

    Returns:
        The image with the tongue and the value of `tongueOut`, 0 to 1; 0 and no tongue if the mouth is too small.
    """
    upper_lip, under_lip = _at(points, 62), _at(points, 66)
    bottom = _at(points, 57)
    right, left = _at(points, 48), _at(points, 54)
    width = float(np.hypot(*(left - right)))
    if width < 4:
        return image, 0.0
    across = (left - right) / width
    down = np.array([-across[1], across[0]])
    lip = max(float((bottom - under_lip) @ down), 0.08 * width)  # height of the lower lip
    # The root is between the lips, the tip below the lower one.
    root = upper_lip + (under_lip - upper_lip) * random.uniform(0.5, 0.9) + across * width * random.normal(0, 0.05)
    length_out = float(random.uniform(0.5, 2.6)) * lip
    tip = under_lip + down * length_out + across * width * random.normal(0, 0.06)
    half = float(random.uniform(0.2, 0.36)) * width
    layer, alpha = _shape(image.shape[:2], root, tip, half, across, random)
    colour = _colour(image, _at(points, 57), random)
    drawn = image + alpha[..., None] * (np.clip(colour * layer[..., None], 0, 255) - image)
    return np.asarray(np.rint(drawn), np.uint8), float(np.clip(0.25 + 0.5 * length_out / lip, 0, 1))


def _at(points: Floats, *landmarks: int) -> Float64:
    """Mean (2,) of the mesh points of some landmarks."""
    return np.asarray(points[[_NUMBER[k] for k in landmarks if k in _NUMBER]].mean(axis=0), np.float64)


def _shape(
    size: tuple[int, ...], root: Float64, tip: Float64, half: float, across: Float64, random: np.random.Generator
) -> tuple[Float64, Float64]:
    """Brightness and opacity (H, W) of a tongue."""
    height, width = size
    columns, rows = ((np.arange(length * _SUPERSAMPLING) + 0.5) / _SUPERSAMPLING - 0.5 for length in (width, height))
    grid_x, grid_y = np.meshgrid(columns, rows)
    axis = tip - root
    length = max(float(np.hypot(*axis)), 1.0)
    axis = axis / length
    side = np.array([axis[1], -axis[0]])
    side = side * np.sign(side @ across)
    along = ((grid_x - root[0]) * axis[0] + (grid_y - root[1]) * axis[1]) / length
    beside = ((grid_x - root[0]) * side[0] + (grid_y - root[1]) * side[1]) / half
    round_from = float(np.clip(1 - 0.9 * half / length, 0.15, 0.8))
    past = np.clip((along - round_from) / (1 - round_from), 0, 1)
    edge = np.sqrt(np.clip(1 - past**2, 0, 1)) * (0.92 + 0.08 * np.clip(along, 0, 1))
    inside = (np.abs(beside) < edge) & (along > 0) & (along < 1)
    groove = 1 - float(random.uniform(0.05, 0.3)) * np.exp(-((beside / 0.14) ** 2)) * np.clip(1.2 - along, 0, 1)
    bulge = 1.08 - 0.35 * np.abs(beside / np.maximum(edge, 1e-3)) ** 3 - 0.25 * np.clip(0.35 - along, 0, 1)
    spot = ((beside - random.uniform(-0.4, 0.4)) / 0.3) ** 2 + ((along - 0.6) / 0.2) ** 2
    shine = float(random.uniform(0, 0.35)) * np.exp(-spot)
    light = np.clip(groove * bulge, 0.2, 1.3) + shine
    alpha = cv2.GaussianBlur(inside.astype(np.float64), (0, 0), 0.35 * _SUPERSAMPLING)
    small = (cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA) for part in (light, alpha))
    brightness, opacity = (np.asarray(part, np.float64) for part in small)
    return brightness, opacity


def _colour(image: UInt8, position: Float64, random: np.random.Generator) -> Float64:
    """The colour of a tongue: pink, with the brightness of the lip at a position."""
    x, y = (int(np.clip(v, 0, n - 1)) for v, n in zip(np.rint(position), image.shape[1::-1], strict=True))
    lip = image[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].reshape(-1, 3).mean(axis=0)
    pink = np.array([205.0, 115.0, 118.0]) + random.normal(0, 12, 3)
    bright = np.clip(lip.mean() / 130 * random.uniform(0.9, 1.35), 0.25, 1.25)
    mixed = 0.65 * pink * bright + 0.35 * lip
    if np.abs(np.diff(lip)).max() < 4:  # a grey photo
        mixed = np.full(3, mixed.mean())
    return np.asarray(mixed)
