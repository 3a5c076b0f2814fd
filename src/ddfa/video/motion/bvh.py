"""BVH (Biovision hierarchy): the head and the eyes as a skeleton with keyframes, for Blender and other programs."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import numpy as np

from ddfa.arrays import Floats
from ddfa.video.motion.motion import Motion

_CM: Final = 100.0  # per metre
_ROTATIONS: Final = "Yrotation Xrotation Zrotation"


def bvh_text(motions: Sequence[Motion], eyes: Floats, fps: Fraction) -> str:
    """Write motions as BVH, one line per motion.

    Args:
        motions: at the frames of a video.
        eyes: (2, 3) centres of the left and the right eye in head space, metres.
        fps: frames per second.

    Returns:
        The file. Axes as in `Motion`, cm and degrees; R = Ry · Rx · Rz, right-handed.
    """
    left, right = np.asarray(eyes) * _CM
    lines = [
        "HIERARCHY",
        "ROOT Head",
        "{",
        "  OFFSET 0.0000 0.0000 0.0000",
        f"  CHANNELS 6 Xposition Yposition Zposition {_ROTATIONS}",
        *_eye("LeftEye", left),
        *_eye("RightEye", right),
        "}",
        "MOTION",
        f"Frames: {len(motions)}",
        f"Frame Time: {float(1 / fps):.7f}",
        *(" ".join(f"{value:.5f}" for value in _channels(motion)) for motion in motions),
    ]
    return "\n".join(lines) + "\n"


def _eye(name: str, offset: Floats) -> list[str]:
    x, y, z = offset
    return [
        f"  JOINT {name}",
        "  {",
        f"    OFFSET {x:.4f} {y:.4f} {z:.4f}",
        f"    CHANNELS 3 {_ROTATIONS}",
        "    End Site",
        "    {",
        "      OFFSET 0.0000 0.0000 2.0000",
        "    }",
        "  }",
    ]


def _channels(motion: Motion) -> list[float]:
    # BVH turns the other way round than turn, nod and tilt, about the same axes and in the same order.
    eyes = [(-turn, -nod, 0.0) for turn, nod in motion.eyes_deg]
    return [*(_CM * motion.position), *(-motion.head_deg), *eyes[0], *eyes[1]]
