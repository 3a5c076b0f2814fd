"""The live channel: a WebSocket that receives camera frames one at a time and returns their faces."""

import asyncio
import json
import time
from collections.abc import Callable
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

_MAX_BYTES: Final = 2_000_000  # per frame
_MAX_PIXELS: Final = 1920 * 1080
_MAX_FACES: Final = 8
_IDLE_S: Final = 60.0  # without a frame
_SETTLED: Final = 12  # frames after which the smoothed shape of a face is accurate enough to send its head
_FRONTAL_DEG: Final = 25.0  # maximum yaw: beyond it the texture misses much of the face


class LiveChannel:
    """The camera connections of one service.

    Args:
        engine: aligns faces and exports heads.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine, self._open = engine, 0

    async def serve(self, socket: WebSocket) -> None:
        """Serve one connection until it closes; docs/serve.md describes the messages."""
        try:
            check_browser(socket.headers, self._engine.settings)
        except ServiceError:
            await socket.close(1008)
            return
        await socket.accept()
        if self._open >= self._engine.settings.live:
            await _refuse(socket, ServiceError(429, "busy", "too many cameras are connected: try again later"), 1013)
            return
        self._open += 1
        self._engine.metrics.live.set(self._open)
        try:
            await self._greet(socket)
            await self._frames(socket)
        except ServiceError as error:
            await _refuse(socket, error, 1008)
        except TimeoutError:
            await _refuse(socket, ServiceError(408, "idle", f"no frame arrived for {_IDLE_S:g} s: connect again"), 1001)
        except (WebSocketDisconnect, RuntimeError):  # the client is gone, perhaps during an answer
            pass
        finally:
            self._open -= 1
            self._engine.metrics.live.set(self._open)

    async def _greet(self, socket: WebSocket) -> None:
        """Read the first message with the API key: browsers cannot set WebSocket headers, and URLs are logged."""
        async with asyncio.timeout(self._engine.settings.receive_s):
            message = await _received(socket)
        try:
            hello = json.loads(message.get("text") or "")
            key = hello["key"] if hello["type"] == "hello" else None
        except (ValueError, KeyError, TypeError):
            raise ServiceError(400, "no_hello", 'the first message must be {"type": "hello", "key": null}') from None
        check_key(key if isinstance(key, str) else None, self._engine.settings)
        await socket.send_json({"type": "ready"})

    async def _frames(self, socket: WebSocket) -> None:
        engine = self._engine
        limit = min(_MAX_PIXELS, engine.settings.max_pixels)
        camera = CameraSession(FaceTracker(engine.aligner), limit)
        while True:
            async with asyncio.timeout(_IDLE_S):
                message = await _received(socket)
            content = message.get("bytes")
            if not content:
                raise ServiceError(
                    400, "no_picture", "after the hello message every message must be an image, in binary"
                )
            if len(content) > _MAX_BYTES:
                raise ServiceError(413, "too_large", f"a frame may have at most {_MAX_BYTES / 1e6:g} MB")
            answer, image = await engine.run(camera.answer, content)
            await socket.send_json(answer)
            due = camera.due()
            if due is not None:
                head = await engine.run(engine.head_file, image, due.faces)
                await socket.send_json({"type": "head", "id": due.id})
                await socket.send_bytes(head)


class CameraSession:
    """State of one camera: its tracker and the heads that were sent.

    Args:
        tracker: tracks the faces of the frames.
        max_pixels: maximum width times height of a frame.
    """

    def __init__(self, tracker: Callable[[Frame], list[TrackedFace]], max_pixels: int) -> None:
        self._tracker, self._limit = tracker, max_pixels
        self._began = time.monotonic()
        self._count = 0
        self._seen: dict[int, int] = {}
        self._sent: set[int] = set()
        self._faces: list[TrackedFace] = []

    def answer(self, content: bytes) -> tuple[dict[str, Any], UInt8]:
        """Track the faces in the next frame.

        Args:
            content: bytes of an image file.

        Returns:
            The message to send, and the frame (H, W, 3) uint8 RGB.

        Raises:
            ServiceError: it is not an image, or too large.
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
        """A face whose head can be sent and has not been; each face is returned once."""
        for face in self._faces:
            settled = self._seen[face.id] >= _SETTLED and abs(float(face.faces.euler_deg[0, 0])) < _FRONTAL_DEG
            if settled and face.id not in self._sent and face.faces.head.has_arkit:
                self._sent.add(face.id)
                return face
        return None


async def _received(socket: WebSocket) -> dict[str, Any]:
    """Receive the next message.

    Raises:
        WebSocketDisconnect: the client has disconnected.
    """
    message: dict[str, Any] = dict(await socket.receive())
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    return message


async def _refuse(socket: WebSocket, error: ServiceError, code: int) -> None:
    if socket.application_state is WebSocketState.CONNECTED:
        try:
            await socket.send_json({"type": "error"} | error.as_dict()["error"])
            await socket.close(code)
        except (WebSocketDisconnect, RuntimeError):
            pass
