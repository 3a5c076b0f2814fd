from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfa.video.motion import live_link

from .decoders import live_link_packet, rotation_about
from .motions import NAMES, motion, motions

RATES = [Fraction(25), Fraction(60), Fraction(30000, 1001)]


@given(motions(), st.text(max_size=20), st.sampled_from(RATES))
def test_round_trip(moved, subject, fps) -> None:
    found = live_link_packet(live_link.packet(moved, subject, moved.time, fps))
    assert found["subject"] == subject and len(found["device"]) == 36
    assert Fraction(*found["fps"]) == fps
    assert (found["frame"] + found["sub"]) / float(fps) == pytest.approx(moved.time, abs=1e-4)
    values = dict(zip(live_link.NAMES, found["values"], strict=True))
    assert values["TongueOut"] == moved.weight("tongueOut")
    yaw, pitch, roll = np.rad2deg([values[f"Head{angle}"] for angle in ("Yaw", "Pitch", "Roll")])
    # Positive: to the person's right, up, to the person's left shoulder.
    rotation = rotation_about("Y", -yaw) @ rotation_about("X", -pitch) @ rotation_about("Z", -roll)
    np.testing.assert_allclose(rotation, moved.rotation, atol=1e-5)


def test_order() -> None:
    """Spot checks of the order of Unreal's EARFaceBlendShape, which is neither alphabetical nor Apple's."""
    assert sorted(live_link.BLENDSHAPES) == sorted(NAMES)
    places = {"EyeBlinkLeft": 0, "EyeBlinkRight": 7, "JawForward": 14, "JawRight": 15, "JawLeft": 16, "JawOpen": 17}
    places |= {"MouthClose": 18, "MouthRight": 21, "MouthLeft": 22, "BrowDownLeft": 41, "CheekPuff": 46}
    places |= {"TongueOut": 51, "HeadYaw": 52, "HeadPitch": 53, "HeadRoll": 54, "LeftEyeYaw": 55, "RightEyeRoll": 60}
    assert {name: live_link.NAMES.index(name) for name in places} == places and len(live_link.NAMES) == 61


def test_eyes() -> None:
    """Positive: to the person's left, down; radians."""
    looking = motion(eyeLookOutLeft=1, eyeLookInRight=1, eyeLookDownLeft=1, eyeLookDownRight=1)
    values = dict(zip(live_link.NAMES, live_link.values(looking), strict=True))
    for side in ("Left", "Right"):
        assert values[f"{side}EyeYaw"] == pytest.approx(np.deg2rad(30))
        assert values[f"{side}EyePitch"] == pytest.approx(np.deg2rad(25))
        assert values[f"{side}EyeRoll"] == 0


def test_nobody_in_view() -> None:
    assert "values" not in live_link_packet(live_link.packet(None, "Me", 1.0, Fraction(30)))


def test_csv_rows() -> None:
    assert live_link.CSV_HEADER[:3] == ("Timecode", "BlendShapeCount", "EyeBlinkLeft")
    row = live_link.csv_row(motion(3725.51, jawOpen=0.25), Fraction(50))
    assert row[:2] == ["01:02:05:25.500", "61"] and len(row) == 63
    assert float(row[2 + live_link.NAMES.index("JawOpen")]) == 0.25
