"""Glasses and shoulders for synthetic heads."""

from typing import Final

import numpy as np

from ddfa.arrays import Float32, Float64, Floats
from ddfa.data.synthetic.backdrops import random_colour
from ddfa.data.synthetic.objects.strips import Part, joined, sheet, tube
from ddfa.geometry.pose import matrix_from_euler
from ddfa.head.model import HeadModel

_NECK: Final = np.array([0.0, -95.0, -15.0])  # pivot of the head on its shoulders
# Rings below the cut of the neck: height, half width, half depth in mm; the first is skin, the others cloth.
_RINGS: Final = ((-122, 62, 58), (-133, 78, 64), (-146, 120, 74), (-165, 178, 86), (-230, 212, 100), (-420, 215, 105))


def glasses(landmarks: Floats, shape: Floats, rng: np.random.Generator) -> list[Part]:
    """Make glasses for a head; a quarter are sunglasses, whose lenses hide the eyes.

    Args:
        landmarks: (68, 3) in head space.
        shape: (V, 3) the head in head space.
        rng: source of randomness.
    """
    dark = rng.random() < 0.25
    colour = rng.uniform(0.02, 0.2, 3) if rng.random() < 0.7 else rng.uniform(0.2, 0.8, 3)
    radius = rng.uniform(0.5, 2.2)
    centres = [landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)]
    gap = abs(centres[1][0] - centres[0][0])
    wide, high = gap * rng.uniform(0.36, 0.44), gap * rng.uniform(0.25, 0.38)
    power = rng.uniform(0.55, 1.0)  # 1 is an ellipse; less has corners
    plane = max(landmarks[27, 2] + 1.5, centres[0][2] + 12, centres[1][2] + 12)
    side = float(np.abs(shape[:, 0]).max()) * 0.9
    parts = []
    turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    rim = np.stack([_power(np.cos(turn), power) * wide, _power(np.sin(turn), power) * high], axis=-1)
    for sign, centre in zip((-1, 1), centres, strict=True):
        away = sign * rim[:, 0]  # from the nose
        line = np.column_stack([centre[0] + rim[:, 0], centre[1] - 3 + rim[:, 1], plane - 0.004 * (away + wide) ** 2])
        parts.append(tube(line, radius, colour, closed=True))
        if dark:
            middle = line.mean(axis=0) + np.array([0, 0, 1.5])
            parts.append(sheet(np.stack([np.broadcast_to(middle, line.shape), line]), colour * 0.3, closed=True))
        corner = np.array([centre[0] + sign * wide, centre[1] + 0.2 * high, plane - 0.016 * wide**2])
        ear = np.array([sign * side, centre[1] + 2, 0.0])
        parts.append(tube(np.linspace(corner, ear, 8), radius, colour))
    bridge = [[centres[0][0] + wide, centres[0][1], plane], [centres[1][0] - wide, centres[1][1], plane]]
    middle = np.mean(bridge, axis=0) + np.array([0, 2, 1])
    parts.append(tube(np.array([bridge[0], middle, bridge[1]]), radius, colour))
    return parts


def _power(values: Float64, power: float) -> Float64:
    return np.asarray(np.sign(values) * np.abs(values) ** power)


class Shoulders:
    """Extends the neck of a head model down to the shoulders.

    Args:
        head: its only border is the cut through the neck.
        occlusion: (V,) share of the light that reaches each vertex.
    """

    def __init__(self, head: HeadModel, occlusion: Float32) -> None:
        self._loop = _border(head)
        self._occlusion = occlusion[self._loop]

    def draw(self, shape: Float32, angles: tuple[float, float, float], skin: Float32, rng: np.random.Generator) -> Part:
        """Make shoulders that follow the rotation of the head only in part.

        Args:
            shape: (V, 3) the head in head space.
            angles: yaw, pitch, roll of the head in degrees.
            skin: (3,) colour of the skin.
            rng: source of randomness.
        """
        ring = shape[self._loop]
        around = np.arctan2(ring[:, 0], ring[:, 2] - _NECK[2])
        wide, high = rng.uniform(0.9, 1.12), rng.uniform(-6, 12)
        head = matrix_from_euler(np.array(angles))
        kept = rng.uniform(0.0, 0.9)
        body = matrix_from_euler(np.array([angles[0] * kept, angles[1] * 0.2, angles[2] * 0.3]))
        turned = head.T @ body  # from the frame of the body to that of the head
        rings = [ring + np.array([0, 1, 0])]  # overlaps the neck a little
        for number, (y, a, b) in enumerate(_RINGS):
            level = np.column_stack([wide * a * np.sin(around), np.full(len(ring), y + high), b * np.cos(around)])
            level[:, 2] += _NECK[2]
            moved = (level - _NECK) @ turned.T + _NECK
            rings.append(moved if number else 0.5 * moved + 0.5 * (ring + np.array([0, -15, 0])))
        cut = int(rng.integers(2, 5))  # where the cloth begins
        # Below the shadow of the chin, the neck is fully lit again.
        back = np.clip(np.arange(cut + 1) / 2, 0, 1)[:, None]
        lit = (1 - back) * self._occlusion + back
        neck = sheet(np.stack(rings[: cut + 1]), lit[..., None] * skin, closed=True)
        return joined([neck, sheet(np.stack(rings[cut:]), random_colour(rng), closed=True)])


def _border(head: HeadModel) -> list[int]:
    """Vertices along the cut of the neck, in order, counter-clockwise seen from below."""
    edges = head.triangles[head.regions["skin"][head.triangles].all(axis=1)]
    pairs = {(int(a), int(b)) for a, b in edges[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)}
    following = {a: b for a, b in pairs if (b, a) not in pairs and head.mean[a, 1] < -50}
    start = min(following)
    loop, at = [start], following[start]
    while at != start:
        loop.append(at)
        at = following[at]
    return loop
