"""Live Link Face: the values, the UDP packet and the rows of the CSV of Epic's app, which Unreal reads.

There is no specification by Epic. The layout of the packet is that of version 6, as public readers describe it:

    uint8 version = 6
    int32 length, text          id of the device
    int32 length, text          name of the subject
    int32 frame, float32 sub-frame, int32 numerator, int32 denominator of the frame rate
    uint8 count = 61
    61 x float32                values

Numbers are big-endian, texts UTF-8.
"""

import struct
import uuid
from fractions import Fraction
from typing import Final

import numpy as np

from ddfa.arrays import Float64
from ddfa.video.motion.motion import Motion, pascal_case

PORT: Final = 11111
_VERSION: Final = 6
BLENDSHAPES: Final = tuple(
    f"{part}{unit}"
    for part, units in {
        "eye": "BlinkLeft LookDownLeft LookInLeft LookOutLeft LookUpLeft SquintLeft WideLeft "
        "BlinkRight LookDownRight LookInRight LookOutRight LookUpRight SquintRight WideRight",
        "jaw": "Forward Right Left Open",
        "mouth": "Close Funnel Pucker Right Left SmileLeft SmileRight FrownLeft FrownRight DimpleLeft DimpleRight "
        "StretchLeft StretchRight RollLower RollUpper ShrugLower ShrugUpper PressLeft PressRight LowerDownLeft "
        "LowerDownRight UpperUpLeft UpperUpRight",
        "brow": "DownLeft DownRight InnerUp OuterUpLeft OuterUpRight",
        "cheek": "Puff SquintLeft SquintRight",
        "nose": "SneerLeft SneerRight",
        "tongue": "Out",
    }.items()
    for unit in units.split()
)
"""The blendshapes by their ARKit names, in the order of Live Link Face."""
ANGLES: Final = tuple(
    f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll")
)
NAMES: Final = (*map(pascal_case, BLENDSHAPES), *ANGLES)
"""The names of the 61 values, in order."""


def values(motion: Motion) -> Float64:
    """The 61 values of a motion.

    Returns:
        (61,) float64: the 52 blendshapes, then yaw, pitch and roll of the head, the left and the right eye, radians.
        The head's are positive if it turns to the person's right, looks up, and tilts to the person's left shoulder
        (R = yaw · pitch · roll, as in Unreal); those of eyes are positive to the person's left and down.
    """
    blendshapes = [motion.weight(name) for name in BLENDSHAPES]
    eyes = np.pad(-motion.eyes_deg, ((0, 0), (0, 1)))
    return np.concatenate([blendshapes, np.deg2rad(motion.head_deg), np.deg2rad(eyes).ravel()])


def packet(motion: Motion | None, subject: str, seconds: float, fps: Fraction) -> bytes:
    """Encode a packet.

    Args:
        motion: the motion; None if the face is not in view: the packet then ends after the frame rate.
        subject: what Unreal calls the face.
        seconds: time code.
        fps: frames per second.
    """
    device = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{subject}.openddfa")).upper()
    frame, sub_frame = _frame(seconds, fps)
    header = struct.pack(">B", _VERSION) + _text(device) + _text(subject)
    moment = struct.pack(">ifii", frame, sub_frame, fps.numerator, fps.denominator)
    if motion is None:
        return header + moment
    return header + moment + struct.pack(">B61f", len(NAMES), *values(motion))


CSV_HEADER: Final = ("Timecode", "BlendShapeCount", *NAMES)


def csv_row(motion: Motion, fps: Fraction) -> list[str]:
    """The row of a motion: the time code HH:MM:SS:FF.FFF, the count 61 and the values."""
    frame, sub_frame = _frame(motion.time, fps)
    thousandths = min(round(1000 * sub_frame), 999)
    rate = round(fps)
    seconds = frame // rate
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{frame % rate:02}.{thousandths:03}"
    return [clock, str(len(NAMES)), *(f"{value:.9f}" for value in values(motion))]


def _frame(seconds: float, fps: Fraction) -> tuple[int, float]:
    """The number of the frame, and the part of its duration that has passed."""
    position = round(seconds * float(fps), 4)
    return int(position), position % 1.0


def _text(text: str) -> bytes:
    content = text.encode()
    return struct.pack(">i", len(content)) + content
