"""The live channel: a WebSocket that receives camera frames one at a time and returns their faces."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from ddfa.arrays import UInt8
from ddfa.errors import DDFAError
from ddfa.export.plain import LIVE, plain_face
from ddfa.serve.engine import Engine
from ddfa.serve.errors import ServiceError, internal
from ddfa.serve.image_limits import decode_checked
from ddfa.serve.middleware import check_browser, check_key
from ddfa.video.io.source import Frame
from ddfa.video.tracking.tracker import FaceTracker, TrackedFace

_log = logging.getLogger("ddfa.serve")
_MAX_BYTES: Final = 2_000_000  # per frame
_MAX_PIXELS: Final = 1920 * 1080
_MAX_FACES: Final = 8
_GREETING_S: Final = 2.0  # for the first message
_IDLE_S: Final = 60.0  # without a frame
_CLOSE_CODES: Final = {408: 1001, 429: 1013}  # by status; others 1008
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
        except ServiceError as error:
            await socket.send_denial_response(error.response())
            return
        await socket.accept()
        try:
            await self._greet(socket)
            with self._slot():
                await socket.send_json({"type": "ready"})
                await self._frames(socket)
        except ServiceError as error:
            await _refuse(socket, error, _CLOSE_CODES.get(error.status, 1008))
        except DDFAError as error:
            await _refuse(socket, ServiceError(422, "unusable", str(error)), 1008)
        except (WebSocketDisconnect, RuntimeError):  # the client is gone, perhaps during an answer
            pass
        except Exception as error:
            _log.error("unexpected %s", type(error).__name__)  # its message may contain data of the frame
            await _refuse(socket, internal(), 1011)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """One of the places for cameras, taken only by clients that have sent the key."""
        if self._open >= self._engine.settings.live:
            raise ServiceError(429, "busy", "too many cameras are connected: try again later")
        self._open += 1
        self._engine.metrics.live.set(self._open)
        try:
            yield
        finally:
            self._open -= 1
            self._engine.metrics.live.set(self._open)

    async def _greet(self, socket: WebSocket) -> None:
        """Read the first message with the API key: browsers cannot set WebSocket headers, and URLs are logged."""
        message = await _received(socket, _GREETING_S, "no greeting")
        try:
            hello = json.loads(message.get("text") or "")
            key = hello["key"] if hello["type"] == "hello" else None
            str(key).encode()
        except (ValueError, KeyError, TypeError, RecursionError):  # ValueError: also a key with lone surrogates
            raise ServiceError(400, "no_hello", 'the first message must be {"type": "hello", "key": null}') from None
        check_key(key if isinstance(key, str) else None, self._engine.settings)

    async def _frames(self, socket: WebSocket) -> None:
        engine = self._engine
        limit = min(_MAX_PIXELS, engine.settings.max_pixels)
        camera = CameraSession(FaceTracker(engine.aligner), limit)
        while True:
            message = await _received(socket, _IDLE_S, "no frame")
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


async def _received(socket: WebSocket, limit_s: float, missing: str) -> dict[str, Any]:
    """Receive the next message.

    Raises:
        WebSocketDisconnect: the client has disconnected.
        ServiceError: the message did not arrive in time.
    """
    try:
        async with asyncio.timeout(limit_s):
            message: dict[str, Any] = dict(await socket.receive())
    except TimeoutError:
        raise ServiceError(408, "idle", f"{missing} arrived within {limit_s:g} s: connect again") from None
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
