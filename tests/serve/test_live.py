"""The live channel: its protocol through a client, the state of a camera directly."""

import json
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from ddfa.head.open import load_open_head
from ddfa.images import encode_image
from ddfa.serve.errors import ServiceError
from ddfa.serve.live import CameraSession
from ddfa.video.tracking.tracker import TrackedFace

from ..face_factory import place_faces
from .conftest import client_of

HELLO = {"type": "hello", "key": None}


def test_a_camera_gets_faces_and_once_the_head(client, photo):
    with client.websocket_connect("/v1/live", headers={"host": "localhost"}) as socket:
        socket.send_json(HELLO)
        assert socket.receive_json() == {"type": "ready"}
        for _ in range(12):
            socket.send_bytes(photo)
            answer = socket.receive_json()
            assert answer["type"] == "faces" and (answer["width"], answer["height"]) == (512, 512)
            (face,) = answer["faces"]
            assert face["id"] == 0 and len(face["landmarks68"]) == len(face["visibility68"]) == 68
            assert len(face["blendshapes"]) == 52
        assert socket.receive_json() == {"type": "head", "id": 0}
        assert socket.receive_bytes().startswith(b"glTF")
        socket.send_bytes(photo)
        assert socket.receive_json()["type"] == "faces"
        socket.send_bytes(photo)
        assert socket.receive_json()["type"] == "faces"  # the head is not sent again


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["x"], "no_hello"),
        (["[]"], "no_hello"),
        (['{"type": "hello", "key": "\\ud800"}'], "no_hello"),
        (["[" * 100_000], "no_hello"),
        ([b"picture"], "no_hello"),
        ([json.dumps(HELLO), b"no picture"], "not_a_picture"),
        ([json.dumps(HELLO), "text"], "no_picture"),
        ([json.dumps(HELLO), bytes(2_000_001)], "too_large"),
    ],
)
def test_messages_outside_the_protocol_end_the_connection(client, messages, code):
    with client.websocket_connect("/v1/live", headers={"host": "localhost"}) as socket:
        for message in messages:
            (socket.send_bytes if isinstance(message, bytes) else socket.send_text)(message)
        answers = [socket.receive_json() for _ in messages]
        assert answers[-1]["type"] == "error" and answers[-1]["code"] == code
        with pytest.raises(WebSocketDisconnect):
            socket.receive_json()


def test_keys_origins_and_numbers_are_checked():
    with client_of(api_key="sesame", live=1) as client:
        headers = {"host": "localhost"}
        with client.websocket_connect("/v1/live", headers=headers) as socket:
            socket.send_json(HELLO)
            assert socket.receive_json()["code"] == "no_key"
        with client.websocket_connect("/v1/live", headers=headers) as socket:
            socket.send_json({"type": "hello", "key": "sesame"})
            assert socket.receive_json() == {"type": "ready"}
            with client.websocket_connect("/v1/live", headers=headers) as second:
                second.send_json({"type": "hello", "key": "sesame"})
                assert second.receive_json()["code"] == "busy"
        for origin, status in (("http://evil.example", 403), ("http://[", 400)):
            foreign = {"host": "localhost", "origin": origin}
            with (
                pytest.raises(WebSocketDenialResponse) as refused,
                client.websocket_connect("/v1/live", headers=foreign),
            ):
                pass
            assert refused.value.status_code == status


def test_who_has_not_greeted_takes_no_place(monkeypatch):
    monkeypatch.setattr("ddfa.serve.live._GREETING_S", 0.3)
    with client_of(live=1) as client:
        headers = {"host": "localhost"}
        with client.websocket_connect("/v1/live", headers=headers) as silent:
            with client.websocket_connect("/v1/live", headers=headers) as camera:
                camera.send_json(HELLO)
                assert camera.receive_json() == {"type": "ready"}
            assert silent.receive_json()["code"] == "idle"


def test_what_is_unexpected_is_named_only_by_its_type(client, monkeypatch, caplog):
    def fail(*_):
        raise LookupError("secret")

    monkeypatch.setattr("ddfa.serve.live.decode_checked", fail)
    with client.websocket_connect("/v1/live", headers={"host": "localhost"}) as socket:
        socket.send_json(HELLO)
        socket.receive_json()
        socket.send_bytes(PNG)
        assert socket.receive_json()["code"] == "internal"
    assert "LookupError" in caplog.text and "secret" not in caplog.text


FRAME = np.full((24, 32, 3), 90, np.uint8)
PNG = encode_image(Path("frame.png"), FRAME)


@pytest.fixture(scope="module")
def open_head():
    return load_open_head()


class Tracks:
    """A tracker that returns the given faces in every frame, and keeps the frames."""

    def __init__(self, *faces):
        self.faces, self.frames = list(faces), []

    def __call__(self, frame):
        self.frames.append(frame)
        return self.faces


def test_a_camera_session_describes_every_face(open_head):
    faces = place_faces(open_head, ((10.0, -5.0, 3.0), (0.0, 0.0, 0.0)))
    tracks = Tracks(*(TrackedFace(4 + k, faces.single(k)) for k in range(2)))
    session = CameraSession(tracks, 32 * 24)
    for _ in range(2):
        answer, image = session.answer(PNG)
    assert np.array_equal(image, FRAME)
    assert (answer["type"], answer["width"], answer["height"]) == ("faces", 32, 24)
    assert [face["id"] for face in answer["faces"]] == [4, 5]
    first = answer["faces"][0]
    assert first["euler_deg"] == pytest.approx({"yaw": 10, "pitch": -5, "roll": 3}, abs=0.01)
    np.testing.assert_allclose(first["landmarks68"], faces.landmarks68[0, :, :2], atol=0.051)
    assert set(first["blendshapes"]) == set(open_head.expression_names)
    assert [frame.index for frame in tracks.frames] == [0, 1]
    assert 0 <= tracks.frames[0].time <= tracks.frames[1].time


def test_at_most_eight_faces_are_sent(open_head):
    face = place_faces(open_head)
    session = CameraSession(Tracks(*(TrackedFace(k, face) for k in range(11))), 32 * 24)
    answer, _ = session.answer(PNG)
    assert len(answer["faces"]) == 8


def test_a_head_is_due_once_after_some_near_frontal_frames(open_head):
    frontal, profile = place_faces(open_head), place_faces(open_head, ((40.0, 0.0, 0.0),))
    tracks = Tracks(TrackedFace(0, profile), TrackedFace(1, frontal))
    session = CameraSession(tracks, 32 * 24)
    due = []
    for _ in range(15):
        session.answer(PNG)
        due.append(session.due())
    assert [(k, face.id) for k, face in enumerate(due) if face] == [(11, 1)]
    tracks.faces = [TrackedFace(0, frontal)]  # the other one turns to the camera
    session.answer(PNG)
    assert session.due().id == 0 and session.due() is None


def test_a_face_that_was_lost_starts_again(open_head):
    tracks = Tracks(TrackedFace(0, place_faces(open_head)))
    session = CameraSession(tracks, 32 * 24)
    faces = tracks.faces
    for number in range(20):
        tracks.faces = [] if number == 10 else faces
        session.answer(PNG)
        assert session.due() is None


@pytest.mark.parametrize(("limit", "code"), [(32 * 24 - 1, "too_many_pixels"), (10_000, "not_a_picture")])
def test_frames_that_cannot_be_used_are_refused(open_head, limit, code):
    content = PNG if code == "too_many_pixels" else b"nothing"
    tracks = Tracks()
    with pytest.raises(ServiceError) as refused:
        CameraSession(tracks, limit).answer(content)
    assert refused.value.code == code and not tracks.frames
