"""Refinement of the blinks that the eye network predicts for each eye on its own."""

from typing import Final

import numpy as np

from ddfa.arrays import Float32

# Chosen on training photos, so that as many winks as blinks of both eyes are recognised.
_EVEN: Final = 0.8


def even_blinks(blinks: Float32) -> Float32:
    """Reduce the difference between two eyes the more, the further both are closed; their mean is kept.

    The closer the lids, the less an eye shows how far they are closed, so that predicted differences between two closed
    eyes are mostly noise. A wink is not changed as long as the other eye is open.

    Args:
        blinks: (n, 2) eyeBlink of the left and the right eye, in [0, 1].

    Returns:
        (n, 2) float32 in [0, 1].
    """
    mean = blinks.mean(axis=1, keepdims=True)
    kept = 1 - _EVEN * blinks.min(axis=1, keepdims=True)
    return np.asarray(mean + kept * (blinks - mean), np.float32)
