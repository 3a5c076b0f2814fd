import numpy as np
import pytest
from hypothesis import given

from ddfa.video.motion import vmc

from .decoders import matrix_of_quaternion, osc_messages
from .motions import NAMES, motion, motions


def sent(messages: list[bytes]) -> list[tuple]:
    packed = vmc.datagrams(messages)
    assert all(len(datagram) <= 1472 for datagram in packed)  # of one Ethernet frame
    return [one for datagram in packed for one in osc_messages(datagram)]


def bones(messages: list[bytes]) -> dict[str, np.ndarray]:
    return {one[1]: np.array(one[2:]) for one in sent(messages) if one[0] == "/VMC/Ext/Bone/Pos"}


@given(motions())
def test_round_trip(moved) -> None:
    messages = sent(vmc.motion_messages(moved))
    values = {name: value for address, name, *rest in messages[:-1] if address.endswith("Val") for value in rest}
    assert {name.lower() for name in values} == {name.lower() for name in NAMES}
    assert values["JawOpen"] == moved.weight("jawOpen") and values["EyeBlinkLeft"] == moved.weight("eyeBlinkLeft")
    assert messages[-1] == ("/VMC/Ext/Blend/Apply",)
    head = bones(vmc.motion_messages(moved))["Head"]
    mirror = np.diag([-1, 1, 1])  # Unity's axes
    np.testing.assert_allclose(mirror @ matrix_of_quaternion(*head[3:]) @ mirror, moved.rotation, atol=1e-5)
    np.testing.assert_allclose(mirror @ head[:3], moved.position, atol=1e-6)


def forward(bone: np.ndarray) -> np.ndarray:
    return matrix_of_quaternion(*bone[3:])[:, 2]  # an avatar in Unity looks along +z


def test_directions_in_unity() -> None:
    """x is the avatar's right, y up."""
    assert forward(bones(vmc.motion_messages(motion(turn=30)))["Head"])[0] == pytest.approx(0.5)
    assert forward(bones(vmc.motion_messages(motion(nod=30)))["Head"])[1] == pytest.approx(0.5)
    tilted = matrix_of_quaternion(*bones(vmc.motion_messages(motion(tilt=30)))["Head"][3:])
    assert tilted[0, 1] == pytest.approx(-0.5)  # the top of the head goes to the left
    eyes = bones(vmc.motion_messages(motion(eyeLookOutLeft=1, eyeLookInRight=1, eyeLookUpLeft=1, eyeLookUpRight=1)))
    for side in ("LeftEye", "RightEye"):
        x, y, _ = forward(eyes[side])
        assert x == pytest.approx(-np.sin(np.deg2rad(30)) * np.cos(np.deg2rad(20)))
        assert y == pytest.approx(np.sin(np.deg2rad(20)))


def test_status() -> None:
    assert sent(vmc.status_messages(2.5)) == [("/VMC/Ext/OK", 1, 3, 0, 1), ("/VMC/Ext/T", 2.5)]
    assert sent(vmc.status_messages(0, calibrating=True, tracked=False))[0] == ("/VMC/Ext/OK", 1, 2, 0, 0)
