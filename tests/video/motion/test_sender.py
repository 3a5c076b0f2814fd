"""What arrives on a loopback socket."""

import socket
from fractions import Fraction

import numpy as np
import pytest

from ddfa.errors import ModelError, OutputError
from ddfa.head.model import HeadModel
from ddfa.video.io.source import Frame
from ddfa.video.motion.sender import MotionSender
from ddfa.video.motion.targets import Target
from ddfa.video.tracking.tracker import TrackedFace

from ...face_factory import place_faces
from .decoders import live_link_packet, osc_messages

HEAD = HeadModel.load()
IMAGE = np.zeros((240, 320, 3), np.uint8)


@pytest.fixture
def receiver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.settimeout(5)
        yield bound


def to(receiver: socket.socket, protocol: str) -> Target:
    return Target(protocol, *receiver.getsockname(), subject="Me")


def play(sender: MotionSender, turns: list[float | None], fps: int = 10) -> None:
    """Send frames with a face turned by so many degrees; None: without a face."""
    for index, turn in enumerate(turns):
        faces = [] if turn is None else [TrackedFace(3, place_faces(HEAD, [(turn, 0.0, 0.0)]))]
        sender.send(Frame(IMAGE, index / fps, index), faces)


def test_live_link(receiver) -> None:
    target = to(receiver, "livelink")
    with MotionSender([target], HEAD, Fraction(10), calibrate=0.3, live=True) as sender:
        play(sender, [20, 20, 20, 20, 30, None])
    found = [live_link_packet(receiver.recv(2000)) for _ in range(6)]
    assert ["values" in one for one in found] == [False, False, False, True, True, False]
    assert np.rad2deg([one["values"][52] for one in found[3:5]]) == pytest.approx([0, 10], abs=0.01)
    assert [one["frame"] - found[0]["frame"] for one in found] == [0, 1, 2, 3, 4, 5]
    assert {one["subject"] for one in found} == {"Me"}


def test_vmc_and_live_link_together(receiver) -> None:
    waits: list[float] = []
    targets = [to(receiver, "vmc"), to(receiver, "livelink")]
    with MotionSender(targets, HEAD, Fraction(10), calibrate=0, wait=waits.append) as sender:
        play(sender, [25, None])
    datagrams = []
    while len(datagrams) < 2 or not datagrams[-1].startswith(b"\x06") or sum(d[0] == 6 for d in datagrams) < 2:
        datagrams.append(receiver.recv(2000))
    messages = [one for data in datagrams if data[0] != 6 for one in osc_messages(data)]
    status = [one for one in messages if one[0] == "/VMC/Ext/OK"]
    assert [one[-1] for one in status] == [1, 0]
    assert sum(one[0] == "/VMC/Ext/Blend/Val" for one in messages) == 52
    assert [live_link_packet(data).get("values", [0] * 61)[52] for data in datagrams if data[0] == 6] == pytest.approx(
        [np.deg2rad(25), 0], abs=1e-4
    )
    assert len(waits) == 1 and 0 < waits[0] <= 0.1  # frames of a file are sent when they are due


def test_errors(receiver) -> None:
    bfm = HEAD.__class__.__new__(HEAD.__class__)
    bfm.__dict__.update({**HEAD.__dict__, "expression_names": ("a",) * 10, "name": "bfm"})
    with pytest.raises(ModelError, match="--to"):
        MotionSender([to(receiver, "vmc")], bfm, Fraction(10))
    with pytest.raises(OutputError, match="check the address"):
        MotionSender([to(receiver, "vmc"), Target("vmc", "no-such-host.invalid", 1)], HEAD, Fraction(10))
    free = to(receiver, "livelink")
    receiver.close()
    with (
        pytest.raises(OutputError, match="nobody listens at livelink://127"),
        MotionSender([free], HEAD, Fraction(10), live=True) as sender,
    ):
        play(sender, [0] * 10)
