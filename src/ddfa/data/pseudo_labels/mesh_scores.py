"""The 52 expression scores of the mesh teacher as targets of labels."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from ddfa.arrays import Float32, Float64, Floats

# The scores are trusted above this probability of a face and below this yaw, degrees.
MIN_PRESENCE: Final = 0.9
MAX_YAW_DEG: Final = 40.0
# Bound of the smaller score of two opposite gaze directions.
_OPPOSITE_LIMIT: Final = 0.05
_OPPOSITES: Final = (("eyeLookIn", "eyeLookOut"), ("eyeLookUp", "eyeLookDown"))
_TARGET_STD: Final = 0.02


class _Calibration(NamedTuple):
    """How a score becomes a coefficient of our head: gain times the score above its value at rest.

    Attributes:
        gain: what a score of 1 moves, relative to a coefficient of 1, as `tools/calibrate_scores.py` measures it,
            bounded by 0.5 and 1.5; 1 where both move points in different directions.
        rest: median score of neutral faces.
        std: of the coefficient around its target; larger where points of the mesh determine the unit as well.
    """

    gain: float = 1.0
    rest: float = 0.0
    std: float = 0.02


# Units that no teacher sees: their scores stay below 0.003 on 7,500 photos, and points do not show them.
_UNSEEN: Final = ("cheekPuff", "noseSneer", "tongueOut")

# By the start of the names of expressions. Other scores are uninformative.
_CALIBRATIONS: Final = {
    # Closed lids are 1. The apertures of the lids tell left from right better than the scores do.
    "eyeBlink": _Calibration(1.1, 0.1, 0.05),
    # The smaller of two opposite scores becomes 0. Both eyes move together: only the mean gain, 1.0, can be measured.
    "eyeLook": _Calibration(1.05, _OPPOSITE_LIMIT),
    "eyeSquint": _Calibration(1.5, 0.33),
    "eyeWide": _Calibration(),
    "browDown": _Calibration(1.2, 0.06),
    # Its largest scores are often relaxed faces with high brows or a fringe: what they move is identity, so gain 1.
    "browInnerUp": _Calibration(1.0, 0.02),
    "browOuterUp": _Calibration(1.0, 0.04),
    "cheekPuff": _Calibration(),
    "noseSneer": _Calibration(),
    "jawOpen": _Calibration(1.0, 0.01, 0.03),
    "jawLeft": _Calibration(0.5),
    "jawRight": _Calibration(0.5),
    "mouthClose": _Calibration(0.5),
    "mouthDimple": _Calibration(1.0, 0.01),
    "mouthFrown": _Calibration(1.3),
    "mouthFunnel": _Calibration(0.7),
    "mouthLeft": _Calibration(0.9),
    "mouthRight": _Calibration(0.9),
    "mouthLowerDown": _Calibration(1.5, 0.0, 0.05),
    "mouthUpperUp": _Calibration(0.9, 0.0, 0.05),
    "mouthPress": _Calibration(0.9, 0.04),
    "mouthPucker": _Calibration(0.65, 0.03),
    "mouthRollLower": _Calibration(1.5, 0.01),
    "mouthRollUpper": _Calibration(1.0, 0.01),
    "mouthShrugLower": _Calibration(1.5, 0.02),
    "mouthShrugUpper": _Calibration(1.5, 0.02),
    "mouthSmile": _Calibration(0.7, 0.03),
    "mouthStretch": _Calibration(1.5),
}


def seen_units(names: Sequence[str]) -> Float32:
    """Which expressions the teachers can see in photos: weights (E,), 1 or 0, for `Labels.visibility`.

    The labels of photos are 0 for the others, whatever the face shows, so that only drawn faces may teach them.

    Args:
        names: of the E expressions.
    """
    return np.array([not name.startswith(_UNSEEN) for name in names], np.float32)


def exclusive_gaze(names: Sequence[str], scores: Floats) -> Float32:
    """Scores (n, E) with the smaller of two opposite gaze directions of an eye bounded.

    Args:
        names: of the E expressions.
        scores: (n, E) in [0, 1].
    """
    names, result = list(names), np.array(scores, np.float32)
    for pair in _OPPOSITES:
        for side in ("Left", "Right"):
            both = [names.index(f"{name}{side}") for name in pair]
            order = np.argsort(scores[:, both], axis=1)
            rows, smaller = np.arange(len(result)), np.array(both)[order[:, 0]]
            result[rows, smaller] = np.minimum(result[rows, smaller], _OPPOSITE_LIMIT)
    return result


def expression_targets(names: Sequence[str], scores: Floats, std: float) -> tuple[Float64, Float64]:
    """Targets (n, E) of expressions and their standard deviations (E,), from scores (n, E) in [0, 1].

    Each is held at its calibrated score, each side its own.

    Args:
        names: of the E expressions, ARKit blendshapes.
        scores: from the mesh teacher.
        std: of expressions with uninformative scores; their target is 0.
    """
    exclusive = exclusive_gaze(names, scores)
    targets, deviation = np.zeros(exclusive.shape), np.full(len(names), std)
    for number, name in enumerate(names):
        for start, (gain, rest, own) in _CALIBRATIONS.items():
            if name.startswith(start):
                deviation[number] = own
                targets[:, number] = np.clip(gain * (exclusive[:, number] - rest), 0, 1)
    return targets, deviation
