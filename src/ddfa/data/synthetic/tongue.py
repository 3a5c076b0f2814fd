"""The tongue of synthetic faces: bent sideways, up and down, which no unit of the head model describes."""

from typing import Final

import numpy as np

from ddfa.arrays import Float32
from ddfa.head.model import HeadModel

_SIDEWAYS, _UPWARDS = 0.22, (-0.05, 0.14)  # mm per mm of the free part: standard deviation; mean and deviation
_INSIDE_LIFT: Final = 0.2  # largest lift of a tongue that stays in an open mouth
_LEAST_JAW: Final = 0.15  # opening of the jaw from which a tongue can be seen inside


def bend_tongue(head: HeadModel, shape: Float32, expression: Float32, rng: np.random.Generator) -> Float32:
    """Bend the tongue of a face at random: to the side and up or down outside the mouth, upwards inside it.

    Args:
        head: the open head.
        shape: (V, 3) in head space.
        expression: (E,) coefficients.
        rng: source of randomness.

    Returns:
        (V, 3) float32; only the vertices of the tongue differ.
    """
    out = float(expression[head.expression_names.index("tongueOut")])
    jaw = float(expression[head.expression_names.index("jawOpen")])
    sideways, upwards = rng.normal(0, _SIDEWAYS), rng.normal(*_UPWARDS)
    lift = rng.uniform(0, _INSIDE_LIFT)
    tongue = head.regions["tongue"]
    points = shape[tongue].astype(np.float64)
    tip = points[:, 2].max()
    if out > 0.2:
        # Between the teeth there is no room: the bend begins there.
        teeth = shape[head.regions["teeth"], 2].max()
        free = max(tip - teeth, 1.0)
        share = np.clip((points[:, 2] - teeth) / free, 0, 1) ** 2
        points[:, 0] += np.clip(sideways, -0.45, 0.45) * free * share
        points[:, 1] += np.clip(upwards, -0.25, 0.3) * free * share
    elif jaw > _LEAST_JAW:
        free = 30.0
        share = np.clip((points[:, 2] - tip + free) / free, 0, 1) ** 2
        points[:, 1] += lift * jaw * free * share
        points[:, 2] -= 0.3 * lift * jaw * free * share
        points[:, 0] += 0.3 * sideways * free * share
    else:
        return shape
    result = shape.copy()
    result[tongue] = points
    return result
