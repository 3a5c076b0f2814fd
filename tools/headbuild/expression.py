"""The 52 ARKit units as displacements of the control mesh."""

import numpy as np
from scipy.spatial.transform import Rotation

from . import aperture, tongue
from .control import Control
from .source import Floats, MakeHuman

# Apple's documented order (ARFaceAnchor.BlendShapeLocation).
ARKIT_NAMES = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip

# How far the eyeball turns at 1, in degrees about x (down positive) and y (towards +x positive), for the left eye.
GAZE_DEG = {"Down": (25.0, 0.0), "Up": (-20.0, 0.0), "In": (0.0, -30.0), "Out": (0.0, 30.0)}


def mirrored_name(name: str) -> str:
    """The unit that the mirrored head shows."""
    for one, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(one):
            return name.removesuffix(one) + other
    return name


def expression_mirror() -> list[int]:
    """Index of the mirrored unit of each unit."""
    return [ARKIT_NAMES.index(mirrored_name(name)) for name in ARKIT_NAMES]


def expression_units(source: MakeHuman, control: Control, mean: Floats) -> Floats:
    """Displacement of every control point at 1, left-right symmetric by construction.

    Args:
        source: the assets.
        control: the control mesh.
        mean: (C, 3) mean control points, mm.

    Returns:
        (52, C, 3) mm.
    """
    raw = {name: source.face_unit(name) for name in ARKIT_NAMES}
    units = np.stack(
        [control.select @ (0.5 * (raw[name] + source.reflect(raw[mirrored_name(name)]))) for name in ARKIT_NAMES]
    )
    units[:, min(control.eyes) :] = 0
    # MakeHuman's blink fits its base head only: on the mean person the lids would cross.
    for name, side, first in (("eyeBlinkLeft", 1, control.eyes[0]), ("eyeBlinkRight", -1, control.eyes[1])):
        eye = aperture.find_aperture(control, mean, "eye_socket", side, aperture.EYE_OUTER)
        units[ARKIT_NAMES.index(name)] = aperture.blink(eye, mean, mean[first])
    jaw = units[ARKIT_NAMES.index("jawOpen")]
    units[ARKIT_NAMES.index("tongueOut")] = tongue.stuck_out(control, mean, jaw)
    for direction, (about_x, about_y) in GAZE_DEG.items():
        for side, sign, first in (("Left", 1, control.eyes[0]), ("Right", -1, control.eyes[1])):
            turn = Rotation.from_euler("xy", [about_x, sign * about_y], degrees=True).as_matrix()
            axes = mean[first + 1 : first + 4] - mean[first]
            units[ARKIT_NAMES.index(f"eyeLook{direction}{side}"), first + 1 : first + 4] = axes @ (turn.T - np.eye(3))
    return units
