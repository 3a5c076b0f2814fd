import json

import pytest
from starlette.websockets import WebSocketDisconnect

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
        ([b"picture"], "no_hello"),
        ([json.dumps(HELLO), b"no picture"], "not_a_picture"),
        ([json.dumps(HELLO), "text"], "no_picture"),
        ([json.dumps(HELLO), bytes(2_000_001)], "too_large"),
    ],
)
def test_what_is_not_spoken_here_ends_the_talk(client, messages, code):
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
                assert second.receive_json()["code"] == "busy"
        foreign = {"host": "localhost", "origin": "http://evil.example"}
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/v1/live", headers=foreign):
            pass
