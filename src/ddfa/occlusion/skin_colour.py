"""Colour transfer: the colour of facial skin as a smooth function of the surface, fitted robustly to one image.

The difference of two such fits is what maps the colours and the lighting of one image to those of another. Colours are
natural logarithms of the RGB values as stored (gamma-encoded): a power law turns a factor of light into another factor,
so a change of illumination is an additive term in either encoding.
"""

from typing import Any, Final

import numpy as np

from ddfa.arrays import Float32, Floats
from ddfa.occlusion.face_region import FaceSurface

_DARKEST: Final = 8 / 255  # below it the logarithm is dominated by noise
_SPOT_MM: Final = 30.0  # standard deviation of the local terms
_DAMPING_LIGHT, _DAMPING_LOCAL = 0.02, 0.06
_ROUNDS: Final = 5
_INLIER: Final = 0.16  # residual (log units) at which the weight of a vertex falls to a quarter
_EVERY: Final = 4  # the fit uses one vertex in so many

_LOGARITHMS: Final = np.log(np.maximum(np.arange(256) / 255, _DARKEST)).astype(np.float32)


class ColourBasis:
    """Smooth functions over a face: second-order harmonics of the normals and local Gaussians.

    Under distant light the colour of a convex Lambertian surface is close to a combination of nine harmonics of its
    normals (Ramamoorthi and Hanrahan, "An efficient representation for irradiance environment maps", 2001). The
    Gaussians, on a 4 x 5 grid over the mean face, add what depends on position: cast shadows, make-up, stubble.

    Args:
        surface: the face.

    Attributes:
        damping: (N,) ridge penalty of each function.
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
        # The constant is free; local terms are damped most, so that they explain only what light cannot.
        self.damping = np.array([1e-4] + [_DAMPING_LIGHT] * 8 + [_DAMPING_LOCAL] * count)

    def __call__(self, normals: Float32) -> Float32:
        """Evaluate the functions at all vertices.

        Args:
            normals: (K, 3) float32 unit normals in camera axes (y up).

        Returns:
            (K, N) float32.
        """
        x, y, z = normals.T
        light = (np.ones_like(x), x, y, z, x * y, y * z, z * z, x * z, x * x - y * y)
        return np.column_stack([*light, self._spots]).astype(np.float32)

    def fit(self, basis: Float32, values: Float32, trust: Float32) -> Float32:
        """Fit the functions to values by ridge regression, reweighted so that outliers are ignored.

        Args:
            basis: (K, N) float32, the functions at the vertices.
            values: (K, 3) float32, for example logarithms of colours.
            trust: (K,) float32 weights >= 0, at least one of them positive.

        Returns:
            (N, 3) float32 coefficients; `basis @ coefficients` is the smooth function.
        """
        used = np.flatnonzero(trust > 0.02)[::_EVERY]
        basis, values, weights = basis[used].astype(np.float64), values[used].astype(np.float64), trust[used]
        # Starting from the median keeps the first residuals small where an occluder fills part of the face.
        offset = np.median(values, axis=0)
        centred = values - offset
        weight = weights / (1 + (max_channel(np.abs(centred)) / (2.5 * _INLIER)) ** 2)
        coefficients = np.zeros((basis.shape[1], values.shape[1]))
        for _ in range(_ROUNDS):
            damping = np.diag(self.damping) * max(weight.sum(), 1e-6)
            coefficients = np.linalg.solve((basis.T * weight) @ basis + damping, (basis.T * weight) @ centred)
            residual = np.linalg.norm(centred - basis @ coefficients, axis=1)
            # Geman-McClure weights: far outliers (occluders, highlights) lose all influence.
            weight = weights / (1 + (residual / _INLIER) ** 2) ** 2
        coefficients[0] += offset
        return np.asarray(coefficients, np.float32)


def contrast(values: Float32, trust: Float32) -> Float32:
    """Mean absolute deviation of log colours from their smooth fit.

    Args:
        values: (K, 3) float32, logarithms of colours minus the smooth function.
        trust: (K,) float32 weights.

    Returns:
        (2,) float32: deviation of the brightness and of the hue.
    """
    tone = brightness(values)
    weight = trust / max(float(trust.sum()), 1e-6)
    # Absolute rather than squared deviations: single dark spots have less influence.
    hue = max_channel(np.abs(values - tone[:, None]))
    return np.array([weight @ np.abs(tone), weight @ hue], np.float32)


def log_colours(image: Any) -> Float32:
    """Natural logarithms of RGB values in [0, 255], uint8 or float, divided by 255; values below 8 count as 8."""
    if image.dtype == np.uint8:
        return np.asarray(_LOGARITHMS[image], np.float32)
    return np.asarray(np.log(np.maximum(np.asarray(image, np.float32) / 255, _DARKEST)), np.float32)


def brightness(colours: Float32) -> Float32:
    """Mean over the three channels (..., 3); several times faster than `mean` over so short an axis."""
    return np.asarray((colours[..., 0] + colours[..., 1] + colours[..., 2]) * np.float32(1 / 3), np.float32)


def max_channel(colours: Floats) -> Floats:
    """Largest of the three channels (..., 3); several times faster than `max` over so short an axis."""
    return np.asarray(np.maximum(np.maximum(colours[..., 0], colours[..., 1]), colours[..., 2]))
