"""Colour and light of a face as a smooth function over it, and what turns those of one photo into those of another.

Colours are logarithms of RGB as displayed: as displays follow a power law, a factor of light is a factor there too.
"""

from typing import Any, Final

import numpy as np

from ddfa.arrays import Float32, Floats
from ddfa.replace.face_region import FaceSurface

_DARKEST: Final = 8 / 255  # below it a logarithm says more about noise than about skin
_SPOT_MM: Final = 30.0  # size of the local terms
_DAMPING_LIGHT, _DAMPING_LOCAL = 0.02, 0.06
_ROUNDS: Final = 5
_INLIER: Final = 0.16  # residual at which a place loses most of its say
_EVERY: Final = 4  # vertex counts

_LOGARITHMS: Final = np.log(np.maximum(np.arange(256) / 255, _DARKEST)).astype(np.float32)


class ToneBasis:
    """Smooth functions over a face: harmonics of the normals, as light makes them, and some soft spots.

    Args:
        surface: the face.
    """

    def __init__(self, surface: FaceSurface) -> None:
        mean = surface.mm
        low, high = mean.min(axis=0), mean.max(axis=0)
        centres = [
            (x, y) for x in np.linspace(low[0] + 10, high[0] - 10, 4) for y in np.linspace(low[1] + 10, high[1] - 12, 5)
        ]
        flat = mean[:, None, :2] - np.array(centres)
        self._spots = np.exp(-np.square(flat).sum(axis=-1) / (2 * _SPOT_MM**2)).astype(np.float32)
        count = len(centres)
        self.damping = np.array([1e-4] + [_DAMPING_LIGHT] * 8 + [_DAMPING_LOCAL] * count)

    def __call__(self, normals: Float32) -> Float32:
        """The functions at all vertices, (K, N) float32, for normals (K, 3) in camera axes."""
        x, y, z = normals.T
        light = (np.ones_like(x), x, y, z, x * y, y * z, z * z, x * z, x * x - y * y)
        return np.column_stack([*light, self._spots]).astype(np.float32)

    def fit(self, basis: Float32, values: Float32, trust: Float32) -> Float32:
        """Coefficients (N, 3) of a smooth function that follows values where most of them agree.

        Args:
            basis: (K, N) the functions.
            values: (K, 3).
            trust: (K,) weights; at least one is positive.
        """
        used = np.flatnonzero(trust > 0.02)[::_EVERY]
        basis, values, weights = basis[used].astype(np.float64), values[used].astype(np.float64), trust[used]
        offset = np.median(values, axis=0)
        away = values - offset
        weight = weights / (1 + (strongest(np.abs(away)) / (2.5 * _INLIER)) ** 2)
        coefficients = np.zeros((basis.shape[1], values.shape[1]))
        for _ in range(_ROUNDS):
            damping = np.diag(self.damping) * max(weight.sum(), 1e-6)
            coefficients = np.linalg.solve((basis.T * weight) @ basis + damping, (basis.T * weight) @ away)
            residual = np.linalg.norm(away - basis @ coefficients, axis=1)
            weight = weights / (1 + (residual / _INLIER) ** 2) ** 2
        coefficients[0] += offset
        return np.asarray(coefficients, np.float32)


def contrast(values: Float32, trust: Float32) -> Float32:
    """Spread (2,) of logarithms of colours (K, 3) about a smooth function: of their brightness and of their hue."""
    tone = brightness(values)
    weight = trust / max(float(trust.sum()), 1e-6)
    # The mean of amounts is less swayed by single dark spots than that of squares.
    hue = strongest(np.abs(values - tone[:, None]))
    return np.array([weight @ np.abs(tone), weight @ hue], np.float32)


def log_colours(picture: Any) -> Float32:
    """Logarithms of RGB in [0, 255]."""
    if picture.dtype == np.uint8:
        return np.asarray(_LOGARITHMS[picture], np.float32)
    return np.asarray(np.log(np.maximum(np.asarray(picture, np.float32) / 255, _DARKEST)), np.float32)


def brightness(colours: Float32) -> Float32:
    """Mean over the three channels (..., 3), several times faster than `mean` over so short an axis."""
    return np.asarray((colours[..., 0] + colours[..., 1] + colours[..., 2]) * np.float32(1 / 3), np.float32)


def strongest(colours: Floats) -> Floats:
    """Largest of the three channels (..., 3), several times faster than `max` over so short an axis."""
    return np.asarray(np.maximum(np.maximum(colours[..., 0], colours[..., 1]), colours[..., 2]))
