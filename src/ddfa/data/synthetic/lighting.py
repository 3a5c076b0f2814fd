"""Random indoor and outdoor lighting, in the convention of `ddfa.raster.lighting`."""

import numpy as np

from ddfa.arrays import Float64
from ddfa.raster.lighting import light_from, shading


def random_light(rng: np.random.Generator) -> tuple[Float64, Float64]:
    """Draw random lighting: ambient light, one main light, sometimes a second one.

    Args:
        rng: source of randomness.

    Returns:
        (9, 3) coefficients and (3,) unit direction of the main light.
    """
    warm = rng.normal(0, 0.06) * np.array([1.0, 0.15, -1.0])
    light = np.zeros((9, 3))
    light[0] = rng.uniform(0.25, 0.7) * (1 - 0.5 * warm)
    light[2] = rng.uniform(-0.04, 0.15) * light[0]  # more from above than from below
    main = _direction(rng.normal(0, 50), rng.uniform(-15, 65))
    light += light_from(main, rng.uniform(0.25, 1.2) * (1 + warm))
    if rng.random() < 0.5:
        light += light_from(
            _direction(rng.uniform(-180, 180), rng.uniform(-30, 70)),
            rng.uniform(0.1, 0.6) * np.exp(rng.normal(0, 0.12, 3)),
        )
    facing, *sides = shading(np.array([[0, 0, 1], [0.8, 0, 0.6], [-0.8, 0, 0.6], [0, 0.8, 0.6]]), light).mean(axis=1)
    exposure = min(1 / max(float(facing), 0.4), 1.35 / max(map(float, sides)))
    return light * rng.uniform(0.85, 1.15) * exposure, main


def _direction(azimuth_deg: float, elevation_deg: float) -> Float64:
    azimuth, elevation = np.deg2rad([azimuth_deg, elevation_deg])
    level = np.cos(elevation)
    return np.array([level * np.sin(azimuth), np.sin(elevation), level * np.cos(azimuth)])
