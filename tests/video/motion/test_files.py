import csv
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ddfa.errors import OutputError
from ddfa.head.model import HeadModel
from ddfa.video.io.source import Frame
from ddfa.video.motion.files import MotionWriter, evenly_spaced
from ddfa.video.tracking.tracker import TrackedFace

from ...face_factory import place_faces
from .decoders import bvh
from .motions import motion

HEAD = HeadModel.load()
IMAGE = np.zeros((240, 320, 3), np.uint8)


def write(path: Path, turns: list[float | None], **options) -> None:
    with MotionWriter(path, HEAD, Fraction(25), **options) as writer:
        for index, turn in enumerate(turns):
            faces = [] if turn is None else [TrackedFace(2, place_faces(HEAD, [(turn, 0.0, 0.0)]))]
            writer.add(Frame(IMAGE, index / 25, index), faces)


def test_csv(tmp_path: Path) -> None:
    write(tmp_path / "x.csv", [None, 10, 20])
    with (tmp_path / "x.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["Timecode"] for row in rows] == ["00:00:00:01.000", "00:00:00:02.000"]
    assert np.rad2deg([float(row["HeadYaw"]) for row in rows]) == pytest.approx([10, 20], abs=1e-3)


def test_bvh(tmp_path: Path) -> None:
    write(tmp_path / "x.bvh", [None, 10, None, 20], calibrate=0.04)
    offsets, _, _, frames = bvh((tmp_path / "x.bvh").read_text())
    assert [frame["Head"][3] for frame in frames] == pytest.approx([0, 0, 0, -10], abs=1e-3)
    left, right = offsets["LeftEye"], offsets["RightEye"]
    np.testing.assert_allclose(left, right * (-1, 1, 1), atol=0.05)
    assert 2.4 < left[0] < 3.4 and left[2] > 4  # cm


def test_frames_at_a_variable_rate() -> None:
    chosen = evenly_spaced([motion(time) for time in (0.1, 0.15, 0.4)], Fraction(10))
    assert [one.time for one in chosen] == [0.1, 0.15, 0.15, 0.15, 0.4]


def test_nobody_and_bad_paths(tmp_path: Path) -> None:
    write(tmp_path / "x.csv", [None])
    assert not list(tmp_path.iterdir())
    for path in (tmp_path / "x.fbx", tmp_path / "none" / "x.csv"):
        with pytest.raises(OutputError, match="cannot write"):
            MotionWriter(path, HEAD, Fraction(25))
    with pytest.raises(OutputError, match="no track 1"):
        write(tmp_path / "x.csv", [0.0], track=1)
    assert not list(tmp_path.iterdir())
