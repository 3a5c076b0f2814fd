"""Refinement of the blinks that the eye network predicts for single eyes.

A network that predicts the lids of each eye on its own differs too often between two closed eyes. Two measures help;
their constants were fitted on training photos.
"""

from typing import Final

import numpy as np

from ddfa.arrays import Float32

# Least squares of the teacher's scores, of both eyes and of their difference: score = blink * (first + second * gap).
_BLINK, _GAP = 0.81, 4.5
_WIDEST: Final = 0.2  # gaps beyond are those of wide open eyes
_EVEN: Final = 0.4


def refined_blinks(blinks: Float32, gaps: Float32) -> Float32:
    """Blinks of both eyes, more consistent with each other.

    Args:
        blinks: (n, 2) eyeBlink of the left and the right eye, in [0, 1].
        gaps: (n, 2) predicted distance between the lids as a share of the side of the patch.

    Returns:
        (n, 2) float32 in [0, 1].
    """
    by_gap = blinks * (np.float32(_BLINK) + np.float32(_GAP) * gaps.clip(0, _WIDEST))
    return evened(by_gap.clip(0, 1))


def evened(blinks: Float32) -> Float32:
    """Reduce the difference between two eyes the more, the further both are closed; their mean is kept.

    The closer the lids, the less an eye shows how far they are closed, so that differences between two closed eyes are
    mostly noise. A wink is not changed as long as the other eye is open.

    Args:
        blinks: (n, 2) in [0, 1].

    Returns:
        (n, 2) float32.
    """
    mean = blinks.mean(axis=1, keepdims=True)
    kept = 1 - _EVEN * blinks.min(axis=1, keepdims=True)
    return np.asarray(mean + kept * (blinks - mean), np.float32)
