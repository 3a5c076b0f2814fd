from fractions import Fraction

import numpy as np
from hypothesis import given

from ddfa.video.motion.bvh import bvh_text

from .decoders import bvh, rotation_about
from .motions import motion, motions

EYES = np.array([[0.03, 0.02, 0.07], [-0.03, 0.02, 0.07]])


@given(motions())
def test_round_trip(moved) -> None:
    offsets, channels, frame_time, frames = bvh(bvh_text([moved, moved], EYES, Fraction(25)))
    np.testing.assert_allclose([offsets["LeftEye"], offsets["RightEye"]], 100 * EYES)
    assert frame_time == 0.04 and len(frames) == 2
    assert [name[1:] for name in channels["Head"]] == ["position"] * 3 + ["rotation"] * 3
    head = frames[0]["Head"]
    np.testing.assert_allclose(head[:3] / 100, moved.position, atol=1e-6)
    rotation = np.eye(3)
    for name, angle in zip(channels["Head"][3:], head[3:], strict=True):
        rotation = rotation @ rotation_about(name[0], angle)
    np.testing.assert_allclose(rotation, moved.rotation, atol=1e-5)


def test_eyes_look_to_the_persons_left_and_up() -> None:
    looking = motion(eyeLookOutLeft=1, eyeLookInRight=1, eyeLookUpLeft=0.5, eyeLookUpRight=0.5)
    _, channels, _, frames = bvh(bvh_text([looking], EYES, Fraction(30)))
    for side in ("LeftEye", "RightEye"):
        angles = dict(zip(channels[side], frames[0][side], strict=True))
        gaze = rotation_about("Y", angles["Yrotation"]) @ rotation_about("X", angles["Xrotation"]) @ [0, 0, 1]
        assert gaze[0] > 0.4 and gaze[1] > 0.1
