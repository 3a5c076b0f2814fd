"""What a turned face shows of its eyes and mouth, and the units of the eye it hides.

Both eyes blink and look together, so a hidden eye gets the units of the visible one, mirrored: the direction that is
inwards for one eye is outwards for the other.
"""

from typing import Final

import numpy as np

from ddfa.arrays import Float32, Float64, Floats

# Sine of the yaw at which the nose begins to cover the far eye, and at which it hides it. In between the estimates for
# the two eyes are blended, so that videos have no jumps.
_FAR_EYE: Final = tuple(np.sin(np.deg2rad([36.0, 44.0])))
# The teacher of the mouth network was trusted up to 40 degrees.
_MOUTH: Final = (np.sin(np.deg2rad(40.0)) / 2, np.sin(np.deg2rad(40.0)))
_FULL, _HIDDEN = np.array([_FAR_EYE, _FAR_EYE, _MOUTH]).T


def visible_shares(rotation: Floats) -> Float64:
    """How visible left eye, right eye and mouth are: (n, 3), from 1, as in a frontal face, to 0, hidden.

    Args:
        rotation: (n, 3, 3) head to camera.
    """
    # The sine is positive for a face turned to the image right, which hides the left eye.
    turned = np.asarray(rotation, np.float64)[:, 0, 2, None] * [1, -1, 1]
    turned[:, 2] = np.abs(turned[:, 2])
    return np.asarray(((_HIDDEN - turned) / (_HIDDEN - _FULL)).clip(0, 1))


def follow_visible_eye(
    units: Float32, confidence: Floats, shares: Floats, mirrored: list[int]
) -> tuple[Float32, Float32]:
    """Units of both eyes in which a hidden eye follows the visible one.

    Args:
        units: (n, 2, U) predictions for the left and the right eye.
        confidence: (n, 2) of the predictions, at full visibility.
        shares: (n, 2) visibility of the eyes, see `visible_shares`.
        mirrored: for each of the U units the one that the other eye shows at the same time.

    Returns:
        Units (n, 2, U) and confidence (n, 2), float32.
    """
    if (shares == 1).all():  # a frontal face: nothing to do, and most faces are
        return units, np.asarray(confidence, np.float32)
    own, other = confidence * shares, confidence[:, ::-1] * (1 - shares)
    total = own + other
    weight = np.divide(other, total, out=np.zeros_like(total), where=total > 0)[..., None]
    mixed = units + weight * (units[:, ::-1, mirrored] - units)
    return np.asarray(mixed, np.float32), np.asarray(total, np.float32)
