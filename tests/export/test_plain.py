"""Faces as plain data: the fields and digits of each output."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ddfa.export.plain import (
    LIVE,
    RECORD,
    TABLE,
    VIDEO,
    FaceFormat,
    exact,
    flags,
    plain_face,
    rounded,
    rounded_single,
    single,
)
from ddfa.geometry.perspective import Camera
from ddfa.head.model import HeadModel

from ..face_factory import place_faces


@pytest.fixture(scope="module")
def face():
    return place_faces(HeadModel.load(), [(30, -10, 5)])


def test_digits() -> None:
    values = np.array([1 / 3, -1.17549435e-38], np.float32)
    assert exact(values) == [0.33333334, -1.1754944e-38] and exact(values[0]) == 0.33333334
    assert rounded(2)(values[None]) == [[0.33, -0.0]] and rounded(1)(np.float32(2.25)) == 2.2
    assert rounded_single(1)(values) == [float(np.float32(0.3)), -0.0]
    assert single([1, 2]).dtype == np.float32
    assert flags(np.array([True, False])) == [True, False]


def test_the_record_is_nested(face) -> None:
    plain = plain_face(face, RECORD)
    assert list(plain["euler_deg"]) == ["yaw", "pitch", "roll"]
    assert plain["euler_deg"]["yaw"] == pytest.approx(30, abs=1e-4)
    assert np.shape(plain["rotation"]) == (3, 3) and np.shape(plain["landmarks68"]) == (68, 3)
    assert np.shape(plain["params"]["pose"]) == (3, 4) and len(plain["params"]["identity"]) == 80
    z = face.vertices[0, :, 2]
    np.testing.assert_array_equal(np.float32(plain["depth_range"]), [z.min(), z.max()])
    assert list(plain["blendshapes"]) == list(face.head.expression_names)


def test_records_of_a_video_are_flat(face) -> None:
    plain = plain_face(face, VIDEO)
    assert [len(plain[name]) for name in ("rotation", "landmarks68", "blendshapes")] == [9, 204, 52]
    assert plain["rotation"] == [round(float(value), 5) for value in face.rotation[0].ravel()]
    assert all(np.ndim(value) in (0, 1) for value in plain.values())


def test_the_table_keeps_float32(face) -> None:
    plain = plain_face(replace(face, camera=Camera(fov_deg=60)), TABLE)
    numbers = [value for value in plain.values() if value is not None]  # None: without quality head
    assert {np.asarray(value).dtype for value in numbers} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(plain["landmarks68"], face.landmarks68[0].ravel())


def test_the_camera_is_described_if_it_is_known(face) -> None:
    assert plain_face(face, RECORD)["camera"] is None
    assert plain_face(face, VIDEO)["distance_mm"] is None
    known = replace(face, camera=Camera(fov_deg=60, ipd_mm=65))
    camera = plain_face(known, RECORD)["camera"]
    assert camera["ipd_mm"] == 65 and camera["fx"] == pytest.approx(277.13, abs=0.01) and camera["cx"] == 159.5
    np.testing.assert_allclose(camera["translation_mm"], known.perspective.translation_mm[0], rtol=1e-6)
    assert plain_face(known, VIDEO)["distance_mm"] == pytest.approx(camera["distance_mm"], abs=1e-4)
    assert json.loads(json.dumps(camera)) == camera


def test_live_messages_have_landmarks_in_the_plane(face) -> None:
    plain = plain_face(face, LIVE)
    np.testing.assert_allclose(plain["landmarks68"], face.landmarks68[0, :, :2], atol=0.051)
    assert len(plain["visibility68"]) == 68 and plain["score"] == 0.9
    assert len(json.dumps(plain)) < 8000


def test_heads_without_blendshapes(toy_head) -> None:
    toy = place_faces(toy_head)
    assert [plain_face(toy, form)["blendshapes"] for form in (RECORD, VIDEO, LIVE)] == [None, [], {}]


def test_estimates_of_the_quality_head(toy_head) -> None:
    toy = place_faces(toy_head)
    output = np.linspace(-4, 0, 137, dtype=np.float32)[None]
    rated = replace(toy, quality_output=output)
    plain = plain_face(rated, RECORD)
    assert 0 < plain["quality"] < 0.1 and len(plain["landmark_std"]) == len(plain["landmark_occlusion"]) == 68
    assert plain["landmark_occlusion"][67] == 0.5
    assert [plain_face(toy, form)["quality"] for form in (RECORD, VIDEO, TABLE, LIVE)] == [None] * 4


def test_one_face_at_a_time(toy_head) -> None:
    with pytest.raises(ValueError, match="one face"):
        plain_face(place_faces(toy_head, [(0, 0, 0)] * 2), FaceFormat({"box": exact}))
