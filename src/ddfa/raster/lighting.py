"""Lighting as second-order spherical harmonics, and ambient occlusion of a head.

Convention: normals and directions are unit vectors in camera axes (x right, y up, z towards the viewer).

The light that a Lambertian surface reflects from distant sources is almost exactly a second-order function of its
normal (Ramamoorthi and Hanrahan, "An efficient representation for irradiance environment maps", 2001).
"""

from typing import Final

import numpy as np

from ddfa.arrays import Bools, Float32, Float64, Floats
from ddfa.geometry.camera import FLIP_Y
from ddfa.geometry.pose import matrix_from_euler
from ddfa.head.model import HeadModel
from ddfa.raster.rasterize import rasterize, vertex_normals

# The clamped cosine in each band, times the constants of the harmonics: a light from d then yields about max(n.d, 0).
_BAND: Final = (1 / 4, 1 / 2, 5 / 16)
# Estimation of light: ridge penalty of each coefficient, rounds of reweighting, relative residual at which the weight
# of a sample falls to a quarter, least shading relative to the mean, kept share of differences between channels.
_DAMPING: Final = (0.0, *[0.003] * 3, *[0.02] * 5)
_ROUNDS: Final = 6
_OUTLIER: Final = 0.3
_DARKEST: Final = 0.12
_CHROMA: Final = 0.6


def harmonics(normals: Floats) -> Float32:
    """Evaluate the nine harmonics of unit vectors.

    Args:
        normals: (..., 3).

    Returns:
        (..., 9) float32, scaled so that `harmonics(n) * weight @ harmonics(d)` is 1 in each band where n is d.
    """
    x, y, z = np.moveaxis(np.asarray(normals, np.float32), -1, 0)
    root = np.float32(np.sqrt(3))
    second = (root * x * y, root * y * z, (3 * z * z - 1) / 2, root * x * z, root / 2 * (x * x - y * y))
    return np.stack([np.ones_like(x), x, y, z, *second], axis=-1)


def light_from(direction: Floats, colour: Floats) -> Float64:
    """Compute the coefficients (9, 3) of one distant light.

    Args:
        direction: (3,) towards the light, unit.
        colour: (3,) radiance of a white surface that faces it.
    """
    weights = np.repeat(_BAND, (1, 3, 5)) * harmonics(direction)
    return np.asarray(weights[:, None] * np.asarray(colour), np.float64)


def shading(normals: Floats, light: Floats) -> Float32:
    """Compute the radiance of white surfaces with normals (V, 3) under light (9, 3): (V, 3) float32, not negative."""
    return np.asarray(np.maximum(harmonics(normals) @ np.asarray(light, np.float32), 0.0), np.float32)


def estimate_light(normals: Floats, radiance: Floats, weights: Floats) -> Float64:
    """Estimate the light under which a surface of uniform reflectance has the observed radiance.

    Residuals are relative to the shading, so that the dark side counts as much as the lit one, and samples far from
    the fit lose their weight: hair, lips, cast shadows and highlights are outliers.

    Args:
        normals: (K, 3).
        radiance: (K, 3) observed, RGB, proportional to light and not gamma-encoded.
        weights: (K,) confidence, at least some of them positive.

    Returns:
        (9, 3) coefficients of the shading, of which the weighted mean over the surface is 1 in every channel.
    """
    basis = harmonics(normals).astype(np.float64)
    given = np.asarray(weights, np.float64)
    seen = np.asarray(radiance, np.float64)
    target = seen / np.maximum(np.average(seen, axis=0, weights=given), 1e-6)
    coefficients = np.eye(9)[:, :1] * np.ones(3)
    trust = given
    for _ in range(_ROUNDS):
        damping = np.diag(_DAMPING) * trust.sum()
        coefficients = np.linalg.solve((basis.T * trust) @ basis + damping, (basis.T * trust) @ target)
        # The colour of the light varies less over the face than that of lips, flush and beard: mostly grey.
        grey = coefficients.mean(axis=1, keepdims=True)
        coefficients[1:] = grey[1:] + _CHROMA * (coefficients - grey)[1:]
        expected = np.maximum(basis @ coefficients, _DARKEST)
        away = np.abs(target / expected - 1).mean(axis=1)
        trust = given / np.square(expected.mean(axis=1)) / np.square(1 + np.square(away / _OUTLIER))
    return np.asarray(coefficients / np.average(np.maximum(basis @ coefficients, 0), axis=0, weights=given), np.float64)


def ambient_occlusion(head: HeadModel, directions: int = 48, size: int = 256) -> Float32:
    """Compute the share of light from all directions that reaches each vertex, (V,) float32.

    Folds that some expression opens, such as those under the lids and in the mouth, count as open.

    Args:
        head: the head model.
        directions: number of viewing directions.
        size: side of the z-buffers in px.
    """
    opened = np.zeros(len(head.expression_names))
    for name, amount in (("eyeBlinkLeft", 1.0), ("eyeBlinkRight", 1.0), ("jawOpen", 0.7)):
        if name in head.expression_names:
            opened[head.expression_names.index(name)] = amount
    shapes = head.decode(np.zeros((2, 0)), np.stack([np.zeros_like(opened), opened]))
    return np.maximum(*(_occlusion(shape, head, directions, size) for shape in shapes))


def _occlusion(shape: Float32, head: HeadModel, directions: int, size: int) -> Float32:
    normals = vertex_normals(shape, head.triangles)
    reached, possible = np.zeros(len(shape)), np.full(len(shape), 1e-6)
    scale = size / 330  # px per mm: the head fits in any orientation
    turn = np.arange(directions) + 0.5
    elevations, azimuths = (
        np.arcsin(1 - 2 * turn / directions),
        turn * 137.508,
    )  # golden-angle spiral
    for azimuth, elevation in zip(azimuths, elevations, strict=True):
        rotation = matrix_from_euler(np.array([azimuth % 360, np.rad2deg(elevation), 0.0]))
        towards = np.maximum(normals @ rotation[2], 0)
        reached += towards * _visible((shape @ rotation.T * scale).astype(np.float32), head, size)
        possible += towards
    return np.asarray(reached / possible, np.float32)


def _visible(points: Float32, head: HeadModel, size: int) -> Bools:
    """Find the vertices (V,) that no other part of the surface occludes."""
    points = points * FLIP_Y + np.array([size / 2, size / 2, 0], np.float32)
    depth = rasterize(points, head.triangles, size, size).depth
    column, row = np.clip(np.rint(points[:, :2]), 0, size - 1).astype(int).T
    return np.asarray(points[:, 2] > depth[row, column] - 3.0)
