"""VMC protocol (protocol.vmc.info, version 2.7): OSC messages to a program that shows an avatar."""

from typing import Final

import numpy as np

from ddfa.arrays import Float64, Floats
from ddfa.geometry.rotation import matrix_from_turn_nod_tilt, quaternion_from_matrix
from ddfa.video.motion import osc
from ddfa.video.motion.motion import Motion, pascal_case

PORT: Final = 39539  # of a marionette, the receiver
_LARGEST: Final = 1400  # bytes per datagram: fits into one Ethernet frame
_LOADED, _CALIBRATING, _CALIBRATED, _NORMAL_MODE = 1, 2, 3, 0


def status_messages(time: float, *, calibrating: bool = False, tracked: bool = True) -> list[bytes]:
    """The messages that say that this program is alive.

    Args:
        time: of the frame, seconds.
        calibrating: the neutral pose is still being measured.
        tracked: the face is in view.
    """
    calibration = _CALIBRATING if calibrating else _CALIBRATED
    available = osc.message("/VMC/Ext/OK", _LOADED, calibration, _NORMAL_MODE, int(tracked))
    return [available, osc.message("/VMC/Ext/T", float(time))]


def motion_messages(motion: Motion) -> list[bytes]:
    """The messages of a motion: bones of head and eyes, and the 52 blendshapes with the names of PerfectSync.

    Bones are relative to their parents, in the axes of Unity: left-handed, x towards the right side of the avatar, y
    up, z forward. The position of the head is its movement since the neutral pose, in metres.
    """
    eyes = matrix_from_turn_nod_tilt(np.pad(motion.eyes_deg, ((0, 0), (0, 1))))
    bones = [
        _bone("Head", motion.position, motion.rotation),
        _bone("LeftEye", np.zeros(3), eyes[0]),
        _bone("RightEye", np.zeros(3), eyes[1]),
    ]
    pairs = zip(motion.names, motion.weights, strict=True)
    values = [osc.message("/VMC/Ext/Blend/Val", pascal_case(name), float(weight)) for name, weight in pairs]
    return [*bones, *values, osc.message("/VMC/Ext/Blend/Apply")]


def datagrams(messages: list[bytes]) -> list[bytes]:
    """Pack messages into datagrams."""
    return list(osc.bundles(messages, _LARGEST))


def _bone(name: str, position: Floats, rotation: Floats) -> bytes:
    return osc.message("/VMC/Ext/Bone/Pos", name, *(float(value) for value in _unity(position, rotation)))


def _unity(position: Floats, rotation: Floats) -> Float64:
    """Position and quaternion (x, y, z, w) in Unity's axes: our x mirrored, which negates rotation about y and z."""
    return np.concatenate([position * (-1, 1, 1), quaternion_from_matrix(rotation) * (1, -1, -1, 1)])
