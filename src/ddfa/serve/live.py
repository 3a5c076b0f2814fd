"""The live channel: camera pictures in by WebSocket, one at a time, faces out."""

import asyncio
import json
import time
from typing import Any, Final

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from ddfa.arrays import UInt8
from ddfa.export.plain import LIVE, plain_face
from ddfa.serve.engine import Engine
from ddfa.serve.errors import ServiceError
from ddfa.serve.image_limits import decode_checked
from ddfa.serve.middleware import check_browser, check_key
from ddfa.video.io.source import Frame
from ddfa.video.tracking.tracker import FaceTracker, TrackedFace

_MAX_BYTES: Final = 2_000_000  # of a picture
_MAX_PIXELS: Final = 1920 * 1080
_MAX_FACES: Final = 8
_IDLE_S: Final = 60.0  # without a picture
_SETTLED: Final = 12  # pictures after which a face's shape is known well enough to send its head
_FRONTAL_DEG: Final = 25.0  # of yaw, within which a texture shows most of a face


class LiveChannel:
    """Cameras of one service.

    Args:
        engine: does the work.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine, self._open = engine, 0

    async def serve(self, socket: WebSocket) -> None:
        """Talk to one camera until it goes; the messages are described in docs/serve.md."""
        try:
            check_browser(socket.headers, self._engine.settings)
        except ServiceError:
            await socket.close(1008)
            return
        await socket.accept()
        if self._open >= self._engine.settings.live:
            await _refuse(
                socket, ServiceError(429, "busy", "as many cameras are connected as may be: try again later"), 1013
            )
            return
        self._open += 1
        self._engine.metrics.live.set(self._open)
        try:
            await self._greet(socket)
            await self._frames(socket)
        except ServiceError as problem:
            await _refuse(socket, problem, 1008)
        except TimeoutError:
            await _refuse(socket, ServiceError(408, "idle", f"no picture came for {_IDLE_S:g} s: connect again"), 1001)
        except (WebSocketDisconnect, RuntimeError):  # gone, perhaps while it was being answered
            pass
        finally:
            self._open -= 1
            self._engine.metrics.live.set(self._open)

    async def _greet(self, socket: WebSocket) -> None:
        """The first message carries the key: browsers cannot send headers here, and addresses end up in logs."""
        async with asyncio.timeout(self._engine.settings.receive_s):
            message = await _received(socket)
        try:
            hello = json.loads(message.get("text") or "")
            key = hello["key"] if hello["type"] == "hello" else None
        except (ValueError, KeyError, TypeError):
            raise ServiceError(400, "no_hello", 'the first message is {"type": "hello", "key": null}') from None
        check_key(key if isinstance(key, str) else None, self._engine.settings)
        await socket.send_json({"type": "ready"})

    async def _frames(self, socket: WebSocket) -> None:
        camera = _Camera(self._engine)
        while True:
            async with asyncio.timeout(_IDLE_S):
                message = await _received(socket)
            content = message.get("bytes")
            if not content:
                raise ServiceError(400, "no_picture", "after the greeting every message is a picture, in binary")
            if len(content) > _MAX_BYTES:
                raise ServiceError(413, "too_large", f"a picture may have {_MAX_BYTES / 1e6:g} MB")
            answer, image = await self._engine.run(camera.answer, content)
            await socket.send_json(answer)
            due = camera.due()
            if due is not None:
                head = await self._engine.run(self._engine.head_file, image, due.faces)
                await socket.send_json({"type": "head", "id": due.id})
                await socket.send_bytes(head)


class _Camera:
    """What is remembered of one camera."""

    def __init__(self, engine: Engine) -> None:
        self._limit = min(_MAX_PIXELS, engine.settings.max_pixels)
        self._tracker = FaceTracker(engine.aligner)
        self._began = time.monotonic()
        self._count = 0
        self._seen: dict[int, int] = {}
        self._sent: set[int] = set()
        self._faces: list[TrackedFace] = []

    def answer(self, content: bytes) -> tuple[dict[str, Any], UInt8]:
        """Follow the faces into the next picture (H, W, 3); returns the answer and the picture.

        Raises:
            Problem: it is no picture, or too large.
        """
        began = time.perf_counter()
        image = decode_checked(content, self._limit)
        frame = Frame(image, time.monotonic() - self._began, self._count)
        self._count += 1
        self._faces = self._tracker(frame)[:_MAX_FACES]
        self._seen = {face.id: self._seen.get(face.id, 0) + 1 for face in self._faces}
        answer = {
            "type": "faces",
            "width": image.shape[1],
            "height": image.shape[0],
            "faces": [{"id": face.id, **plain_face(face.faces, LIVE)} for face in self._faces],
            "milliseconds": round(1e3 * (time.perf_counter() - began), 1),
        }
        return answer, image

    def due(self) -> TrackedFace | None:
        """A face whose head can be sent and was not yet."""
        for face in self._faces:
            settled = self._seen[face.id] >= _SETTLED and abs(float(face.faces.euler_deg[0, 0])) < _FRONTAL_DEG
            if settled and face.id not in self._sent and face.faces.head.has_arkit:
                self._sent.add(face.id)
                return face
        return None


async def _received(socket: WebSocket) -> dict[str, Any]:
    """The next message.

    Raises:
        WebSocketDisconnect: the camera is gone.
    """
    message: dict[str, Any] = dict(await socket.receive())
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    return message


async def _refuse(socket: WebSocket, problem: ServiceError, code: int) -> None:
    if socket.application_state is WebSocketState.CONNECTED:
        try:
            await socket.send_json({"type": "error"} | problem.as_dict()["error"])
            await socket.close(code)
        except (WebSocketDisconnect, RuntimeError):
            pass
