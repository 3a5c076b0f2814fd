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
# The networks were trained up to 40 degrees. On rendered faces the eye network is of some use up to 55 degrees, and of
# none beyond; the mouth fades out before, where its teacher becomes unreliable.
_NEAR_EYE: Final = tuple(np.sin(np.deg2rad([45.0, 60.0])))
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


def near_eye_share(rotation: Floats) -> Float64:
    """How far the eye network is used: (n,), from 1 to 0 for profiles, whose eyes it has not been trained on.

    Args:
        rotation: (n, 3, 3) head to camera.
    """
    full, none = _NEAR_EYE
    return np.asarray(((none - np.abs(np.asarray(rotation, np.float64)[:, 0, 2])) / (none - full)).clip(0, 1))


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
